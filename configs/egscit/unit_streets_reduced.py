# UNIT with the recipe of egscit_streets_reduced.py. It ignores the exemplar.
#   python tools/train.py configs/egscit/unit_streets_reduced.py
_base_ = 'egscit_streets_reduced.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
