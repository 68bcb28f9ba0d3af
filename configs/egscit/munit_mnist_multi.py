# MUNIT on MNIST-Multiple, to compare with egscit_mnist_multi.py (paper Table 5).
#   python tools/train.py configs/egscit/munit_mnist_multi.py
_base_ = [
    '_base_/models/munit.py',
    '_base_/datasets/mnist_multi.py',
    '_base_/schedules/adam_poly_munit.py',
    '_base_/default_runtime.py',
]
max_iters = 60000
minibatch = 8
updates = 6  # 1 discriminator + 5 generator, each on its own minibatch

train_dataloader = dict(batch_size=minibatch * updates)
train_cfg = dict(max_iters=max_iters)
