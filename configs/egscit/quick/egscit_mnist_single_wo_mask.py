# Ablation of the quickstart without the feature mask (eta = 1).
_base_ = 'egscit_mnist_single.py'

model = dict(generator=dict(eta=1))
