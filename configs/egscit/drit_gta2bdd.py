# DRIT at its own width on GTA5 <-> BDD, to compare with egscit_gta2bdd.py (paper Table 3). Images
# are 256x512 as everywhere here; DRIT's own are 216x216.
#   python tools/train.py configs/egscit/drit_gta2bdd.py
_base_ = [
    '_base_/models/drit.py',
    '_base_/datasets/gta2bdd.py',
    '_base_/schedules/adam_linear_drit.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the six updates.
train_dataloader = dict(batch_size=3 * 6)
# Two of the six are of the generators, of EGSC-IT's five: as many in 2.5 times the iterations.
train_cfg = dict(max_iters=55000)
# The second of them leaves the attribute encoders as they are.
model_wrapper_cfg = dict(find_unused_parameters=True)
# There are no ground truths to compare with; the hook draws training images.
val_cfg = val_dataloader = None
test_cfg = test_dataloader = None
