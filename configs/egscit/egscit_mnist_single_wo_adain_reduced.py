# Ablation of the quickstart without AdaIN: translations ignore the exemplar.
#   python tools/train.py configs/egscit/egscit_mnist_single_wo_adain_reduced.py
_base_ = 'egscit_quickstart.py'

model = dict(generator=dict(adain=None))
