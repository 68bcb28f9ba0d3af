# CycleGAN with the recipe of egscit_mnist_multi_reduced.py: data, width, minibatch, rate, generator
# updates. It ignores the exemplar.
from mmengine import Config

_base_ = '../egscit_mnist_multi_reduced.py'
stage1_config = None

_cyclegan = Config.fromfile('{{ fileDirname }}/../cyclegan_mnist_multi.py')
_cyclegan.merge_from_dict(
    dict(
        model=dict(
            generator=dict(base_channels=_base_.model.generator.encoder.base_channels),
            discriminator=dict(base_channels=_base_.model.discriminator.base_channels))))
model = dict(_delete_=True, **_cyclegan.model)
# One discriminator and one generator update per iteration, both on one minibatch.
_steps = _base_.model.generator_steps
train_dataloader = dict(
    batch_size=_base_.train_dataloader.batch_size // (_base_.model.discriminator_steps + _steps))
train_cfg = dict(max_iters=_steps * _base_.train_cfg.max_iters)
# MMagic's hook draws validation images, of which there are none here.
custom_hooks = []
del Config, _cyclegan
