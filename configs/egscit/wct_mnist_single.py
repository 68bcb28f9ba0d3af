# WCT on MNIST-Single, to compare with egscit_mnist_single.py (paper Table 4).
#   python tools/train.py configs/egscit/wct_mnist_single.py
_base_ = [
    '_base_/models/wct.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly_decoder.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=4)  # images of each domain
train_cfg = dict(max_iters=60000)
