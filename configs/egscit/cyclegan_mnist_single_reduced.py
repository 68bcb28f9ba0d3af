# CycleGAN with the quickstart's recipe: data, width, minibatch, rate, generator updates. It ignores
# the exemplar.
#   python tools/train.py configs/egscit/cyclegan_mnist_single_reduced.py
_base_ = ['_base_/models/cyclegan.py', '_base_/reduced/mnist_single.py']

# 28x28 digits: the discriminator is that of cyclegan_mnist_single.py.
model = dict(
    generator=dict(base_channels=32), discriminator=dict(base_channels=32, num_conv=2))
# One discriminator and one generator update per iteration, both on one minibatch: five times the
# iterations make as many generator updates.
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=5 * 500)
# MMagic's hook draws validation images, of which there are none here.
custom_hooks = []
