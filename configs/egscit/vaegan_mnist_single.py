# Stage 1 of MNIST-Single; "python tools/train.py configs/egscit/egscit_mnist_single.py" runs it.
_base_ = [
    '_base_/models/vaegan.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]

# 28x28 digits: n1 = 1, no down-sampling.
model = dict(
    generator=dict(encoder=dict(num_downsamples=0), decoder=dict(num_downsamples=0)))
# A minibatch for each of the 1 + 1 updates.
train_dataloader = dict(batch_size=8 * 2)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=1e-5)), discriminators=dict(optimizer=dict(lr=1e-5)))
train_cfg = dict(max_iters=60000)
# Stage 1 has nothing to validate: its reconstructions are drawn by the hook.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
