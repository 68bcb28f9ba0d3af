# MUNIT on GTA5 <-> BDD, to compare with egscit_gta2bdd.py (paper Table 3).
#   python tools/train.py configs/egscit/munit_gta2bdd.py
_base_ = [
    '_base_/models/munit.py',
    '_base_/datasets/gta2bdd.py',
    '_base_/schedules/adam_poly_munit.py',
    '_base_/default_runtime.py',
]
max_iters = 22000
minibatch = 3
updates = 6  # 1 discriminator + 5 generator, each on its own minibatch

train_dataloader = dict(batch_size=minibatch * updates)
train_cfg = dict(max_iters=max_iters)
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
