# Ablation of egscit_mnist_single.py without the feature mask (eta = 1).
#   python tools/train.py configs/egscit/egscit_mnist_single_wo_mask.py
_base_ = 'egscit_mnist_single.py'

model = dict(generator=dict(eta=1))
