# UNIT (Liu et al., NIPS 2017) on painted streets: egscit_streets.py without feature
# networks (hence no stage 1), mask, AdaIN and perceptual loss. It ignores the exemplar.
#   python tools/train.py configs/egscit/unit_streets.py
_base_ = 'egscit_streets.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
