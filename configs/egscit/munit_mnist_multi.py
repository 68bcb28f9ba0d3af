# MUNIT on MNIST-Multiple, to compare with egscit_mnist_multi.py (paper Table 5).
#   python tools/train.py configs/egscit/munit_mnist_multi.py
_base_ = [
    '_base_/models/munit.py',
    '_base_/datasets/mnist_multi.py',
    '_base_/schedules/adam_poly_munit.py',
    '_base_/default_runtime.py',
]

# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=8 * 6)
train_cfg = dict(max_iters=60000)
