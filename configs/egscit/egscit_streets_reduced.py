# Painted streets to try out on a CPU: 64x128 pixels, three eighths of the width, both stages in 40
# minutes on one core with --amp. The perceptual loss is the paper's, with other weights of the
# layers, on a VGG-16 that was trained on natural images.
#   python tools/dataset_converters/streets.py --size 64 128 --num-train 1000 --num-test 200 \
#       --out data/streets_reduced
#   python tools/train.py configs/egscit/egscit_streets_reduced.py
_base_ = ['_base_/models/egscit.py', '_base_/reduced/streets.py']
stage1_config = 'vaegan_streets_reduced.py'

# As in vaegan_streets_reduced.py.
_network = dict(
    base_channels=24,
    num_downsamples=1,
    num_blocks=2,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.05, a=-0.1, b=0.1))
model = dict(
    channels_last=True,
    generator=dict(
        encoder=_network,
        adain='std',
        decoder=dict(tanh_scale=1.1, **_network),
        # As in egscit_quickstart.py.
        latent_noise=0.3,
        # Else chance decides which colours of one domain become which of the other.
        equal_start=True),
    discriminator=dict(base_channels=16),
    # torchvision's vgg16-397923af.pth, or any file with weights in its layout. VGG-16 has three
    # layers fewer than the paper's VGG-19 up to relu5_1, and so takes less time.
    # The Gram matrices of deep layers tell the scene, which the exemplar does not share, those of
    # shallow layers the colours: the latter count more here than in the paper, the former less.
    perceptual_loss=dict(
        arch='vgg16',
        pretrained='data/vgg16.pth',
        style_layers=dict(relu1_1=60., relu2_1=20., relu3_1=2., relu4_1=0.1, relu5_1=0.1)),
    # Averages over the last 100 iterations or so, over fewer at the start.
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
