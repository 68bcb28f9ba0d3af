# EGSC-IT on MNIST-Multiple at 112x112 (paper Table 5; settings of Table 6).
#   python tools/train.py configs/egscit/egscit_mnist_multi.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/mnist_multi.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_mnist_multi.py'

# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=8 * 6)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=1e-5)), discriminators=dict(optimizer=dict(lr=1e-5)))
train_cfg = dict(max_iters=60000)
