# MNIST-Single for half an hour on two CPU cores: the paper's generators at the paper's width,
# discriminators of half the width, a short schedule at a higher rate, and a perceptual loss that
# needs no download. Its features were trained with digit labels and stroke masks.
#   bash tools/quickstart.sh
_base_ = ['_base_/models/egscit.py', '_base_/reduced/mnist_single.py']
stage1_config = 'vaegan_quickstart.py'

# As in vaegan_quickstart.py. 28x28 digits: no down-sampling.
_network = dict(
    num_downsamples=0,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.04, a=-0.08, b=0.08))
model = dict(
    channels_last=True,  # a fifth faster in bfloat16
    generator=dict(encoder=_network, decoder=_network),
    discriminator=dict(base_channels=32),
    # A quarter-width VGG-19 that knows digits in random colours (tools/train_digit_features.py).
    # Its deep layers tell the strokes and not the colours, its shallow ones the reverse: on digits
    # painted in the exemplar's colours, the style loss of relu4_1 and relu5_1 measures only that
    # the exemplar shows another digit, and the content loss of relu1_1 and relu2_1 only that the
    # colours differ. So content is compared where the strokes are, style where the colours are.
    perceptual_loss=dict(
        pretrained='work_dirs/quickstart/digit_features.pth',
        base_channels=16,
        content_weight=30,
        style_weight=1e3,
        content_layers=dict(relu3_4=10., relu4_1=4.),
        style_layers=dict(relu1_1=400., relu2_1=50.)),
    # Averages over the last 100 iterations or so, over fewer at the start.
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
