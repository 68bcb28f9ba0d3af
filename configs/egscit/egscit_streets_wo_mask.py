# Ablation of egscit_streets.py without the feature mask (eta = 1).
#   python tools/train.py configs/egscit/egscit_streets_wo_mask.py
_base_ = 'egscit_streets.py'

model = dict(generator=dict(eta=1))
