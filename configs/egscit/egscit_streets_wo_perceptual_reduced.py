# Ablation of egscit_streets_reduced.py without the perceptual loss ("w/o L_P").
#   python tools/train.py configs/egscit/egscit_streets_wo_perceptual_reduced.py
_base_ = 'egscit_streets_reduced.py'

model = dict(perceptual_loss=None)
