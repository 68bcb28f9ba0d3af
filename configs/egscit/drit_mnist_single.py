# DRIT on MNIST-Single, to compare with egscit_mnist_single.py (paper Table 2).
#   python tools/train.py configs/egscit/drit_mnist_single.py
_base_ = [
    '_base_/models/drit.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_linear_drit.py',
    '_base_/default_runtime.py',
]

# 28x28 digits: no down-sampling of the content, 7x7 for the attributes, one image scale, and two
# strided convolutions in the content discriminator, whose third would leave nothing.
model = dict(
    generator=dict(
        encoder=dict(num_downsamples=0),
        attribute_encoder=dict(num_blocks=1),
        decoder=dict(num_downsamples=0)),
    discriminator=dict(num_scales=1),
    content_discriminator=dict(num_downsamples=2))
# A minibatch for each of the six updates.
train_dataloader = dict(batch_size=8 * 6)
# Two of the six are of the generators, of EGSC-IT's five: as many in 2.5 times the iterations.
train_cfg = dict(max_iters=150000)
# The second of them leaves the attribute encoders as they are.
model_wrapper_cfg = dict(find_unused_parameters=True)
