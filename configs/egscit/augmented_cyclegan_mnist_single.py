# Augmented CycleGAN on MNIST-Single, to compare with egscit_mnist_single.py.
#   python tools/train.py configs/egscit/augmented_cyclegan_mnist_single.py
_base_ = [
    '_base_/models/augmented_cyclegan.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly_augmented_cyclegan.py',
    '_base_/default_runtime.py',
]
# One discriminator and one generator update per iteration, both on one minibatch: five times
# EGSC-IT's iterations make as many generator updates.

# 28x28 digits: one step less for the code, to 4x4.
model = dict(generator=dict(latent_encoder=dict(num_downsamples=3)))
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_iters=5 * 60000)
