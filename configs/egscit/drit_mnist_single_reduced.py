# DRIT with the quickstart's recipe: data, width, minibatch, rate, generator updates, average of the
# weights.
#   python tools/train.py configs/egscit/drit_mnist_single_reduced.py
_base_ = ['_base_/models/drit.py', '_base_/reduced/mnist_single.py']

# 28x28 digits: one step to 14x14 for the content, as the quickstart's, 7x7 for the attributes, one
# image scale, and one strided convolution in the content discriminator.
model = dict(
    generator=dict(
        encoder=dict(base_channels=32, num_downsamples=1),
        attribute_encoder=dict(base_channels=32, num_blocks=1),
        decoder=dict(base_channels=32, num_downsamples=1)),
    discriminator=dict(base_channels=32, num_scales=1),
    content_discriminator=dict(num_downsamples=1),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_side = dict(optimizer=dict(weight_decay=1e-4))  # DRIT's own
optim_wrapper = dict(
    generators=_side,
    discriminators=_side,
    # DRIT's share of the generators' rate, and its own limit.
    content_discriminator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=0.4 * 6e-4, betas=(0.5, 0.999), weight_decay=1e-4),
        clip_grad=dict(max_norm=5)))
# Two generator updates per iteration, of the quickstart's five.
train_cfg = dict(max_iters=1250)
model_wrapper_cfg = dict(find_unused_parameters=True)
