# MUNIT with the recipe of egscit_mnist_multi_reduced.py: data, width and strided convolutions,
# minibatch, rate, updates, average of the weights.
#   python tools/train.py configs/egscit/munit_mnist_multi_reduced.py
_base_ = ['_base_/models/munit.py', '_base_/reduced/mnist_multi.py']

_network = dict(base_channels=16, num_downsamples=1)
model = dict(
    generator=dict(encoder=_network, style_encoder=dict(base_channels=16), decoder=_network),
    discriminator=dict(base_channels=16),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_side = dict(optimizer=dict(weight_decay=1e-4))  # MUNIT's own
optim_wrapper = dict(generators=_side, discriminators=_side)
