# Ablation of egscit_mnist_single.py without AdaIN: translations ignore the exemplar.
#   python tools/train.py configs/egscit/egscit_mnist_single_wo_adain.py
_base_ = 'egscit_mnist_single.py'

model = dict(generator=dict(adain=None))
