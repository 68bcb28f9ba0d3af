# Neural style transfer on MNIST-Single, to compare with egscit_mnist_single.py (paper Table 4). It
# is not trained.
#   python tools/test.py configs/egscit/neural_style_mnist_single.py none
_base_ = [
    '_base_/models/neural_style.py', '_base_/datasets/mnist_single.py', '_base_/default_runtime.py'
]

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='MultiTestLoop')
custom_hooks = []
