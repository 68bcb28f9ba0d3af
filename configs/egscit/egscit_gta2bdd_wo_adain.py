# Ablation of egscit_gta2bdd.py without AdaIN: translations ignore the exemplar.
#   python tools/train.py configs/egscit/egscit_gta2bdd_wo_adain.py
_base_ = 'egscit_gta2bdd.py'

model = dict(generator=dict(adain=None))
