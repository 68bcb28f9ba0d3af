# EGSC-IT on GTA5 <-> BDD at 256x512 (paper Table 3; settings of Table 6).
#   python tools/train.py configs/egscit/egscit_gta2bdd.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/gta2bdd.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_gta2bdd.py'

# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=3 * 6)
train_cfg = dict(max_iters=22000)
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
