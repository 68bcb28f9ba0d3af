# Ablation of egscit_gta2bdd.py without the perceptual loss ("w/o L_P").
#   python tools/train.py configs/egscit/egscit_gta2bdd_wo_perceptual.py
_base_ = 'egscit_gta2bdd.py'

model = dict(perceptual_loss=None)
