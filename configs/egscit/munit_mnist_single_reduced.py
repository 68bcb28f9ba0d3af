# MUNIT with the quickstart's recipe: data, width, minibatch, rate, updates, average of the weights.
#   python tools/train.py configs/egscit/munit_mnist_single_reduced.py
_base_ = ['_base_/models/munit.py', '_base_/reduced/mnist_single.py']

# 28x28 digits: one step to 14x14 for the content, as the quickstart's, two to 7x7 for the style.
model = dict(
    generator=dict(
        encoder=dict(base_channels=32, num_downsamples=1),
        style_encoder=dict(base_channels=32, num_downsamples=2),
        decoder=dict(base_channels=32, num_downsamples=1)),
    discriminator=dict(base_channels=32),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_side = dict(optimizer=dict(weight_decay=1e-4))  # MUNIT's own
optim_wrapper = dict(generators=_side, discriminators=_side)
