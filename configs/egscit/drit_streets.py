# DRIT on painted streets, to compare with egscit_streets.py.
#   python tools/train.py configs/egscit/drit_streets.py
_base_ = [
    '_base_/models/drit.py',
    '_base_/datasets/streets.py',
    '_base_/schedules/adam_linear_drit.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the six updates.
train_dataloader = dict(batch_size=3 * 6)
# Two of the six are of the generators, of EGSC-IT's five: as many in 2.5 times the iterations.
train_cfg = dict(max_iters=55000)
# The second of them leaves the attribute encoders as they are.
model_wrapper_cfg = dict(find_unused_parameters=True)
