# CycleGAN with the recipe of egscit_streets_reduced.py: data, width, minibatch, rate, generator
# updates. It ignores the exemplar.
#   python tools/train.py configs/egscit/cyclegan_streets_reduced.py
_base_ = ['_base_/models/cyclegan.py', '_base_/reduced/streets.py']

model = dict(generator=dict(base_channels=24), discriminator=dict(base_channels=16))
# One discriminator and one generator update per iteration, both on one minibatch: five times the
# iterations make as many generator updates.
train_dataloader = dict(batch_size=1)
train_cfg = dict(max_iters=5 * 600)
# MMagic's hook draws validation images, of which there are none here.
custom_hooks = []
