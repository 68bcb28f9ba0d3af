# Stage 1 of painted streets; "python tools/train.py configs/egscit/egscit_streets.py" runs it.
_base_ = [
    '_base_/models/vaegan.py',
    '_base_/datasets/streets.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the 1 + 1 updates.
train_dataloader = dict(batch_size=3 * 2)
train_cfg = dict(max_iters=22000)
# Stage 1 has nothing to validate: its reconstructions are drawn by the hook.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
