# MUNIT on painted streets, to compare with egscit_streets.py.
#   python tools/train.py configs/egscit/munit_streets.py
_base_ = [
    '_base_/models/munit.py',
    '_base_/datasets/streets.py',
    '_base_/schedules/adam_poly_munit.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=3 * 6)
train_cfg = dict(max_iters=22000)
