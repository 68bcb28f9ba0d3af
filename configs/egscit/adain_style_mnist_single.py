# AdaIN on MNIST-Single, to compare with egscit_mnist_single.py (paper Table 4).
#   python tools/train.py configs/egscit/adain_style_mnist_single.py
_base_ = [
    '_base_/models/adain_style.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly_decoder.py',
    '_base_/default_runtime.py',
]

# Contents and exemplars of either direction: 8 pairs, as AdaIN's own minibatch.
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=60000)
