# UNIT with the quickstart's recipe. It ignores the exemplar.
_base_ = '../egscit_quickstart.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
