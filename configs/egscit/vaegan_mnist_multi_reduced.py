# Stage 1 of the reduced MNIST-Multiple; "python tools/train.py
# configs/egscit/egscit_mnist_multi_reduced.py" runs it.
_base_ = 'vaegan_mnist_multi.py'

# One strided convolution in place of two: the hues of the digits vary least in these pictures, so
# a deep network learns them last. Small weights at the start, such as the release's std of 0.02,
# delay that further.
_network = dict(
    base_channels=16,
    num_downsamples=1,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.06, a=-0.12, b=0.12))
model = dict(
    generator=dict(encoder=_network, decoder=dict(tanh_scale=1.1, **_network)),
    discriminator=dict(base_channels=16))
# Crops of a quarter of the picture, neither zoomed nor flipped: four times the updates in the same
# time. Stage 2 needs whole pictures: a crop shows the hues of two or three digits, and their mean,
# which AdaIN takes from the exemplar, would be given to all strokes.
_load, _pack = _base_.test_pipeline[:-1], _base_.test_pipeline[-1]
_crop = [dict(type='Crop', keys=[key], crop_size=(56, 56)) for key in _pack['keys']]
train_dataloader = dict(
    batch_size=2 * 2,  # a minibatch for each of the 1 + 1 updates
    num_workers=1,
    dataset=dict(pipeline=[*_load, *_crop, _pack]))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=10)),
    discriminators=dict(optimizer=dict(lr=2e-4), clip_grad=dict(max_norm=10)))
train_cfg = dict(max_iters=1500)
default_hooks = dict(logger=dict(interval=20))
custom_hooks = [dict(type='TranslationGridHook', interval=500)]
