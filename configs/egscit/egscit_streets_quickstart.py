# Painted streets without any file: the ablation without the perceptual loss, and without the metric
# that needs a VGG. With the weights of a VGG-16 the quickstart takes egscit_streets_reduced.py.
#   bash tools/quickstart.sh --task streets
_base_ = 'egscit_streets_wo_perceptual_reduced.py'

test_evaluator = dict(metrics=_base_.test_evaluator.metrics[:-1])
