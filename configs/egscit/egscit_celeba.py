# EGSC-IT on CelebA male <-> female at 128x128 (settings of the paper's Table 6).
#   python tools/train.py configs/egscit/egscit_celeba.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/celeba.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_celeba.py'

model = dict(perceptual_loss=dict(content_weight=1e1, style_weight=5e3))
# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=8 * 6)
train_cfg = dict(max_iters=30000)
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
