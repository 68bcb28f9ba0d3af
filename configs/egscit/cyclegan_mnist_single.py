# CycleGAN on MNIST-Single, to compare with egscit_mnist_single.py (paper Table 2). It ignores the
# exemplar.
#   python tools/train.py configs/egscit/cyclegan_mnist_single.py
_base_ = [
    '_base_/models/cyclegan.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly_cyclegan.py',
    '_base_/cyclegan_runtime.py',
]
# One discriminator and one generator update per iteration, both on one minibatch: five times
# EGSC-IT's iterations make as many generator updates.

# 28x28 digits: the generator's two down-samplings (to 7x7) cannot be changed. Of three strided
# convolutions the discriminator's map would be 1x1; of two it is 5x5, each score of 34x34 pixels.
model = dict(discriminator=dict(num_conv=2))
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_iters=5 * 60000)
