# Stage 1 of the reduced painted streets; "python tools/train.py
# configs/egscit/egscit_streets_reduced.py" runs it.
_base_ = 'vaegan_streets.py'

# One strided convolution keeps lanes and windows sharp, and few iterations cannot grow a narrow
# network from the release's std of 0.02.
_network = dict(
    base_channels=24,
    num_downsamples=1,
    num_blocks=2,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.05, a=-0.1, b=0.1))
model = dict(
    channels_last=True,
    # The more noise, the larger the features, and the more the mask that is made of them tells, as
    # in vaegan_quickstart.py.
    # AdaIN gives the features of one domain to the content of the other: their channels should mean
    # the same.
    generator=dict(
        encoder=_network, decoder=dict(tanh_scale=1.1, **_network), latent_noise=4.,
        equal_start=True),
    discriminator=dict(base_channels=16))
train_dataloader = dict(
    batch_size=2 * 2,  # a minibatch for each of the 1 + 1 updates
    num_workers=1, dataset=dict(data_root='data/streets_reduced'))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=4e-4), clip_grad=dict(max_norm=10)),
    discriminators=dict(optimizer=dict(lr=1e-4), clip_grad=dict(max_norm=10)))
train_cfg = dict(max_iters=1000)
default_hooks = dict(logger=dict(interval=20))
custom_hooks = [dict(type='TranslationGridHook', interval=500)]
