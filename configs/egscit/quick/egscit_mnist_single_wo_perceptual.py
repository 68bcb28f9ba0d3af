# Ablation of the quickstart without the perceptual loss ("w/o L_P").
_base_ = 'egscit_mnist_single.py'

model = dict(perceptual_loss=None)
