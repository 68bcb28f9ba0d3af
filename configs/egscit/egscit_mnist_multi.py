# EGSC-IT on MNIST-Multiple at 112x112 (paper Table 5; settings of Table 6).
#   python tools/train.py configs/egscit/egscit_mnist_multi.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/mnist_multi.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_mnist_multi.py'
max_iters = 60000
lr = 1e-5
minibatch = 8
updates = 6  # 1 discriminator + 5 generator, each on its own minibatch

train_dataloader = dict(batch_size=minibatch * updates)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=lr)), discriminators=dict(optimizer=dict(lr=lr)))
train_cfg = dict(max_iters=max_iters)
