# Ablation of egscit_streets_reduced.py without the feature mask (eta = 1).
#   python tools/train.py configs/egscit/egscit_streets_wo_mask_reduced.py
_base_ = 'egscit_streets_reduced.py'

model = dict(generator=dict(eta=1))
