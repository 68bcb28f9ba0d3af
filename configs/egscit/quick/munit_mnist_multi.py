# MUNIT with the recipe of egscit_mnist_multi_reduced.py: data, width and strided convolutions,
# minibatch, rate, updates, average of the weights.
from mmengine import Config

_base_ = '../egscit_mnist_multi_reduced.py'
stage1_config = None

_munit = Config.fromfile('{{ fileDirname }}/../munit_mnist_multi.py')
_encoder = _base_.model.generator.encoder
_width = dict(base_channels=_encoder.base_channels)
_size = dict(num_downsamples=_encoder.num_downsamples, **_width)
_munit.merge_from_dict(
    dict(model=dict(generator=dict(encoder=_size, style_encoder=_width, decoder=_size))))
model = dict(_delete_=True, **_munit.model)
for _key in ('discriminator', 'discriminator_steps', 'generator_steps', 'ema_config'):
    model[_key] = _base_.model[_key]
_side = dict(
    optimizer=dict(weight_decay=_munit.optim_wrapper.generators.optimizer.weight_decay))
optim_wrapper = dict(generators=_side, discriminators=_side)
del Config, _munit
