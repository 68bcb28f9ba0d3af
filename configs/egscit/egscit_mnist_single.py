# EGSC-IT on MNIST-Single (paper Sec. 4, Table 2; settings of Table 6).
#   python tools/train.py configs/egscit/egscit_mnist_single.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_mnist_single.py'
max_iters = 60000
lr = 1e-5
minibatch = 8
updates = 6  # 1 discriminator + 5 generator, each on its own minibatch

# 28x28 digits: n1 = 1, no down-sampling.
model = dict(
    generator=dict(encoder=dict(num_downsamples=0), decoder=dict(num_downsamples=0)),
    perceptual_loss=dict(content_weight=1e1, style_weight=1e3))
train_dataloader = dict(batch_size=minibatch * updates)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=lr)), discriminators=dict(optimizer=dict(lr=lr)))
train_cfg = dict(max_iters=max_iters)
