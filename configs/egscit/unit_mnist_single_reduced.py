# UNIT with the quickstart's recipe. It ignores the exemplar.
#   python tools/train.py configs/egscit/unit_mnist_single_reduced.py
_base_ = 'egscit_quickstart.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
