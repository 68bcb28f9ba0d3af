# A reduced MNIST-Single for two CPU cores: "bash tools/quickstart.sh" runs it.
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_quickstart.py'
max_iters = 300
lr = 5e-4
minibatch = 8
updates = 6

_init_cfg = dict(
    type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.04, a=-0.08, b=0.08)
_networks = dict(base_channels=32, num_downsamples=1, init_cfg=_init_cfg)
model = dict(
    generator=dict(encoder=_networks, decoder=_networks),
    discriminator=dict(base_channels=32),
    # ImageNet weights cannot be had offline: tools/train_digit_features.py trains a quarter-width
    # VGG-19 to name digits in random colours.
    perceptual_loss=dict(
        pretrained='work_dirs/quickstart/digit_features.pth',
        base_channels=16,
        content_weight=1e1,
        style_weight=1e3,
        content_layers=dict(relu4_1=4., relu5_1=2.),
        style_layers=dict(relu1_1=200., relu2_1=50.)),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
data_root = 'work_dirs/quickstart/data'
train_dataloader = dict(
    batch_size=minibatch * updates, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=lr)), discriminators=dict(optimizer=dict(lr=lr)))
train_cfg = dict(max_iters=max_iters, val_interval=100)
custom_hooks = [dict(type='TranslationGridHook', interval=100)]
