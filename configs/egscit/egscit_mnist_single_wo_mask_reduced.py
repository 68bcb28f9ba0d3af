# Ablation of the quickstart without the feature mask (eta = 1).
#   python tools/train.py configs/egscit/egscit_mnist_single_wo_mask_reduced.py
_base_ = 'egscit_quickstart.py'

model = dict(generator=dict(eta=1))
