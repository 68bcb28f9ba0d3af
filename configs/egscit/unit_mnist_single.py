# UNIT (Liu et al., NIPS 2017) on MNIST-Single: egscit_mnist_single.py without feature
# networks (hence no stage 1), mask, AdaIN and perceptual loss. It ignores the exemplar.
#   python tools/train.py configs/egscit/unit_mnist_single.py
_base_ = 'egscit_mnist_single.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
