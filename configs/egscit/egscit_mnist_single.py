# EGSC-IT on MNIST-Single (paper Sec. 4, Table 2; settings of Table 6).
#   python tools/train.py configs/egscit/egscit_mnist_single.py
_base_ = [
    '_base_/models/egscit.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly.py',
    '_base_/default_runtime.py',
]
stage1_config = 'vaegan_mnist_single.py'

# 28x28 digits: n1 = 1, no down-sampling.
model = dict(
    generator=dict(encoder=dict(num_downsamples=0), decoder=dict(num_downsamples=0)),
    perceptual_loss=dict(content_weight=1e1, style_weight=1e3))
# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=8 * 6)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=1e-5)), discriminators=dict(optimizer=dict(lr=1e-5)))
train_cfg = dict(max_iters=60000)
