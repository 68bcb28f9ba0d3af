# EGSC-IT on painted streets at 256x512, with the settings of GTA5 <-> BDD (paper Table 6). Their
# translations are known, so they can be tested (docs/datasets.md).
#   python tools/train.py configs/egscit/egscit_streets.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/streets.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_streets.py'

# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=3 * 6)
train_cfg = dict(max_iters=22000)
