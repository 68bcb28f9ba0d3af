# MUNIT on MNIST-Single, to compare with egscit_mnist_single.py (paper Table 2).
#   python tools/train.py configs/egscit/munit_mnist_single.py
_base_ = [
    '_base_/models/munit.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly_munit.py',
    '_base_/default_runtime.py',
]

# 28x28 digits: no down-sampling of the content, two steps to 7x7 for the style.
model = dict(
    generator=dict(
        encoder=dict(num_downsamples=0),
        style_encoder=dict(num_downsamples=2),
        decoder=dict(num_downsamples=0)))
# A minibatch for each of the 1 + 5 updates.
train_dataloader = dict(batch_size=8 * 6)
train_cfg = dict(max_iters=60000)
