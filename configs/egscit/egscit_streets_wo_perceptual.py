# Ablation of egscit_streets.py without the perceptual loss ("w/o L_P").
#   python tools/train.py configs/egscit/egscit_streets_wo_perceptual.py
_base_ = 'egscit_streets.py'

model = dict(perceptual_loss=None)
