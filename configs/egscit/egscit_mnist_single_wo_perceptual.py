# Ablation of egscit_mnist_single.py without the perceptual loss ("w/o L_P").
#   python tools/train.py configs/egscit/egscit_mnist_single_wo_perceptual.py
_base_ = 'egscit_mnist_single.py'

model = dict(perceptual_loss=None)
