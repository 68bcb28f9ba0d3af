# Ablation of egscit_streets_reduced.py without AdaIN: translations ignore the exemplar.
#   python tools/train.py configs/egscit/egscit_streets_wo_adain_reduced.py
_base_ = 'egscit_streets_reduced.py'

model = dict(generator=dict(adain=None))
