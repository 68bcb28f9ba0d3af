# Stage 1 of the quickstart; "bash tools/quickstart.sh" runs it.
_base_ = 'vaegan_mnist_single.py'

# Half the paper's width, one strided convolution (n1 = 2) and a residual block less (n2 = 3): the
# blocks have the paper's 64 channels at a quarter of the positions, and see twice as far.
_network = dict(
    base_channels=32,
    num_downsamples=1,
    num_blocks=2,
    # A few hundred iterations cannot grow weights from the release's std of 0.02.
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.05, a=-0.1, b=0.1))
model = dict(
    channels_last=True,
    # Features must stand out against the noise: the more of it, the larger they are, and the more
    # the mask that is made of them tells. At 1 it is nearly flat for a long time.
    generator=dict(
        encoder=_network, decoder=dict(tanh_scale=1.1, **_network), latent_noise=4.),
    discriminator=dict(base_channels=32))
_data_root = 'work_dirs/quickstart/data'
train_dataloader = dict(batch_size=4 * 2, num_workers=1, dataset=dict(data_root=_data_root))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=6e-4)), discriminators=dict(optimizer=dict(lr=4e-4)))
train_cfg = dict(max_iters=300)
default_hooks = dict(logger=dict(interval=10))
custom_hooks = [dict(type='TranslationGridHook', interval=300)]
