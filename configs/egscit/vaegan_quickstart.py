# Stage 1 of the quickstart: a reduced MNIST-Single for two CPU cores.
_base_ = [
    '_base_/models/vaegan.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
max_iters = 200
lr = 5e-4
minibatch = 8
updates = 2

# Half the width at half the resolution costs a quarter of the paper's network and sees more of the
# digit at once; a wider initialisation makes up for the short training.
_init_cfg = dict(
    type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.04, a=-0.08, b=0.08)
_networks = dict(base_channels=32, num_downsamples=1, init_cfg=_init_cfg)
model = dict(
    generator=dict(encoder=_networks, decoder=_networks), discriminator=dict(base_channels=32))
data_root = 'work_dirs/quickstart/data'
train_dataloader = dict(
    batch_size=minibatch * updates, num_workers=1, dataset=dict(data_root=data_root))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=lr)), discriminators=dict(optimizer=dict(lr=lr)))
train_cfg = dict(max_iters=max_iters)
custom_hooks = [dict(type='TranslationGridHook', interval=100)]
# Stage 1 has nothing to validate: its reconstructions are drawn by the hook.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
