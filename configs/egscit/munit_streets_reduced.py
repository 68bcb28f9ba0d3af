# MUNIT with the recipe of egscit_streets_reduced.py: data, width, minibatch, rate, updates, average
# of the weights.
#   python tools/train.py configs/egscit/munit_streets_reduced.py
_base_ = ['_base_/models/munit.py', '_base_/reduced/streets.py']

_network = dict(base_channels=24, num_downsamples=1)
model = dict(
    generator=dict(
        encoder=_network, style_encoder=dict(base_channels=24), decoder=_network, equal_start=True),
    discriminator=dict(base_channels=16),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_side = dict(optimizer=dict(weight_decay=1e-4))  # MUNIT's own
optim_wrapper = dict(generators=_side, discriminators=_side)
