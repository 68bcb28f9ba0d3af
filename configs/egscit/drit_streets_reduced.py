# DRIT with the recipe of egscit_streets_reduced.py: data, width, minibatch, rate, generator
# updates, average of the weights.
#   python tools/train.py configs/egscit/drit_streets_reduced.py
_base_ = ['_base_/models/drit.py', '_base_/reduced/streets.py']

# 64x128 pixels: two strided convolutions in the content discriminator, two image scales.
_network = dict(base_channels=24, num_downsamples=1)
model = dict(
    generator=dict(
        encoder=_network, attribute_encoder=dict(base_channels=24), decoder=_network,
        equal_start=True),
    discriminator=dict(base_channels=16, num_scales=2),
    content_discriminator=dict(num_downsamples=2),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_side = dict(optimizer=dict(weight_decay=1e-4))  # DRIT's own
optim_wrapper = dict(
    generators=_side,
    discriminators=_side,
    # DRIT's share of the generators' rate, and its own limit.
    content_discriminator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=0.4 * 4e-4, betas=(0.5, 0.999), weight_decay=1e-4),
        clip_grad=dict(max_norm=5)))
# Two generator updates per iteration, of the recipe's five.
train_cfg = dict(max_iters=1500)
model_wrapper_cfg = dict(find_unused_parameters=True)
