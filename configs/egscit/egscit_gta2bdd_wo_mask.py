# Ablation of egscit_gta2bdd.py without the feature mask (eta = 1).
#   python tools/train.py configs/egscit/egscit_gta2bdd_wo_mask.py
_base_ = 'egscit_gta2bdd.py'

model = dict(generator=dict(eta=1))
