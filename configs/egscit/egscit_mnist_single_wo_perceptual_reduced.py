# Ablation of the quickstart without the perceptual loss ("w/o L_P").
#   python tools/train.py configs/egscit/egscit_mnist_single_wo_perceptual_reduced.py
_base_ = 'egscit_quickstart.py'

model = dict(perceptual_loss=None)
