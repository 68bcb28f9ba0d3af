# UNIT (Liu et al., NIPS 2017) on GTA5 <-> BDD: egscit_gta2bdd.py without feature
# networks (hence no stage 1), mask, AdaIN and perceptual loss. It ignores the exemplar.
#   python tools/train.py configs/egscit/unit_gta2bdd.py
_base_ = 'egscit_gta2bdd.py'
stage1_config = None

model = dict(generator=dict(eta=1, adain=None), perceptual_loss=None)
