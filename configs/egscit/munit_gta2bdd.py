# MUNIT on GTA5 <-> BDD, to compare with egscit_gta2bdd.py (paper Table 3).
#   python tools/train.py configs/egscit/munit_gta2bdd.py
_base_ = [
    '_base_/models/munit.py',
    '_base_/datasets/gta2bdd.py',
    '_base_/schedules/adam_poly_munit.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=3 * 6)
train_cfg = dict(max_iters=22000)
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
