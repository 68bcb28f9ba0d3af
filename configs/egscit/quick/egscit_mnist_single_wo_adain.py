# Ablation of the quickstart without AdaIN: translations ignore the exemplar.
_base_ = 'egscit_mnist_single.py'

model = dict(generator=dict(adain=None))
