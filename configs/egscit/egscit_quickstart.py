# MNIST-Single for a quarter of an hour on two CPU cores: half the paper's width, a short schedule
# at a higher rate, and a perceptual loss that needs neither a download nor labels.
#   bash tools/quickstart.sh
_base_ = ['_base_/models/egscit.py', '_base_/reduced/mnist_single.py']
stage1_config = 'vaegan_quickstart.py'

# As in vaegan_quickstart.py.
_network = dict(
    base_channels=32,
    num_downsamples=1,
    num_blocks=2,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.05, a=-0.1, b=0.1))
model = dict(
    channels_last=True,
    generator=dict(
        encoder=_network,
        # The scale of 'release' may be negative: two trainings of five exchanged the colours of a
        # whole style (docs/experiments.md).
        adain='std',
        # On flat colours, tanh would be level where a stroke is wrong.
        decoder=dict(tanh_scale=1.1, **_network),
        # With 1, a third of the schedule goes by until the content stands out against the noise.
        latent_noise=0.3),
    discriminator=dict(base_channels=32),
    # A quarter-width VGG-19 that knows strokes in random colours (tools/train_digit_features.py).
    # Its deep layers tell the strokes and not the colours, its shallow ones see the colours: so
    # content is compared at the former, style at the latter. The exemplar shows another digit, so
    # that even a perfect translation has a large style loss. A smaller one can be had by ragged
    # strokes; the weights must make that not worth it.
    perceptual_loss=dict(
        pretrained='work_dirs/quickstart/digit_features.pth',
        base_channels=16,
        content_weight=40,
        style_weight=150,
        content_layers=dict(relu3_4=14.),
        style_layers=dict(relu1_1=400., relu2_1=50.)),
    # Averages over the last 100 iterations or so, over fewer at the start.
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
