# UNIT with the recipe of egscit_mnist_multi_reduced.py. It ignores the exemplar.
#   python tools/train.py configs/egscit/unit_mnist_multi_reduced.py
_base_ = 'egscit_mnist_multi_reduced.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
