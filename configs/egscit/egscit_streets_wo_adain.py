# Ablation of egscit_streets.py without AdaIN: translations ignore the exemplar.
#   python tools/train.py configs/egscit/egscit_streets_wo_adain.py
_base_ = 'egscit_streets.py'

model = dict(generator=dict(adain=None))
