# CycleGAN on MNIST-Multiple, to compare with egscit_mnist_multi.py (paper Table 5). It ignores the
# exemplar.
#   python tools/train.py configs/egscit/cyclegan_mnist_multi.py
_base_ = [
    '_base_/models/cyclegan.py',
    '_base_/datasets/mnist_multi.py',
    '_base_/schedules/adam_poly_cyclegan.py',
    '_base_/cyclegan_runtime.py',
]
# One discriminator and one generator update per iteration, both on one minibatch: five times
# EGSC-IT's iterations make as many generator updates.

train_dataloader = dict(batch_size=8)
train_cfg = dict(max_iters=5 * 60000)
