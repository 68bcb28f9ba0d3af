# MNIST-Multiple to try out on a CPU: a quarter of the width and a short schedule, with digit
# features, learnt without labels, in place of ImageNet's. docs/experiments.md tells
# what makes the digits take their own hues in so short a time.
#   python tools/train_digit_features.py --data data/mnist_single --out data/digit_features.pth
#   python tools/train.py configs/egscit/egscit_mnist_multi_reduced.py
_base_ = ['_base_/models/egscit.py', '_base_/reduced/mnist_multi.py']
stage1_config = 'vaegan_mnist_multi_reduced.py'

# As in vaegan_mnist_multi_reduced.py.
_network = dict(
    base_channels=16,
    num_downsamples=1,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.06, a=-0.12, b=0.12))
model = dict(
    channels_last=True,
    generator=dict(
        encoder=_network,
        decoder=dict(tanh_scale=1.1, **_network),
        # Noise of standard deviation 1, the default, hides the hues, which vary least.
        latent_noise=0.1,
        # The scale of 'release' may be negative: it exchanged the colours of a whole style.
        adain='std',
        # A -> B has to learn from B -> A -> B which digit has which hue. That comes to nothing if
        # B -> A hides the hue.
        detach_cycle=True),
    # A hue that is wrong is what is left of the cycle's error: more weight, and less for the many
    # pixels that are nearly right.
    loss_weights=dict(cycle=300),
    smooth_l1_beta=0.3,
    discriminator=dict(base_channels=16),
    # The layers of egscit_quickstart.py: content where strokes are, style where colours are.
    perceptual_loss=dict(
        pretrained='data/digit_features.pth',
        base_channels=16,
        content_weight=40,
        style_weight=150,
        content_layers=dict(relu3_4=14.),
        style_layers=dict(relu1_1=400., relu2_1=50.)),
    # Averages over the last 100 iterations or so, over fewer at the start.
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
