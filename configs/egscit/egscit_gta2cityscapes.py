# EGSC-IT on GTA5 <-> Cityscapes at 256x512 (not in the paper; weights of the authors' release).
#   python tools/train.py configs/egscit/egscit_gta2cityscapes.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/gta2cityscapes.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_gta2cityscapes.py'

model = dict(perceptual_loss=dict(content_weight=5e2, style_weight=1e3))
# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=3 * 6)
train_cfg = dict(max_iters=22000)  # as GTA5 <-> BDD: the release names no number
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
