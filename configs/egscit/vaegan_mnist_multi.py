# Stage 1 of MNIST-Multiple; "python tools/train.py configs/egscit/egscit_mnist_multi.py" runs it.
_base_ = [
    '_base_/models/vaegan.py',
    '_base_/datasets/mnist_multi.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the 1 + 1 updates.
train_dataloader = dict(batch_size=8 * 2)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=1e-5)), discriminators=dict(optimizer=dict(lr=1e-5)))
train_cfg = dict(max_iters=60000)
# Stage 1 has nothing to validate: its reconstructions are drawn by the hook.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
