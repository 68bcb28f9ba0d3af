# EGSC-IT on GTA5 <-> BDD at 256x512 (paper Table 3; settings of Table 6).
#   python tools/train.py configs/egscit/egscit_gta2bdd.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/gta2bdd.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_gta2bdd.py'
max_iters = 22000
minibatch = 3
updates = 6  # 1 discriminator + 5 generator, each on its own minibatch

train_dataloader = dict(batch_size=minibatch * updates)
train_cfg = dict(max_iters=max_iters)
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
