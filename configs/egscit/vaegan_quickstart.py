# Stage 1 of the quickstart; "bash tools/quickstart.sh" runs it.
_base_ = 'vaegan_mnist_single.py'

# Two hundred iterations cannot grow weights from the release's std of 0.02: start at twice that.
_init_cfg = dict(
    type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.04, a=-0.08, b=0.08)
model = dict(
    channels_last=True,
    # Features must stand out against the noise: the more of it, the larger they are, and the more
    # the mask that is made of them tells. At 1 it is nearly flat for a long time.
    generator=dict(
        encoder=dict(init_cfg=_init_cfg), decoder=dict(init_cfg=_init_cfg), latent_noise=4.),
    discriminator=dict(base_channels=32))
_data_root = 'work_dirs/quickstart/data'
train_dataloader = dict(num_workers=1, dataset=dict(data_root=_data_root))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=4e-4)), discriminators=dict(optimizer=dict(lr=4e-4)))
train_cfg = dict(max_iters=200)
default_hooks = dict(logger=dict(interval=10))
custom_hooks = [dict(type='TranslationGridHook', interval=200)]
