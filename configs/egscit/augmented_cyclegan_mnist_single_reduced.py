# Augmented CycleGAN with the quickstart's recipe: data, half the width, minibatch, generator
# updates, average of the weights. Its own rate of the discriminators, a fifth, and clipping.
#   python tools/train.py configs/egscit/augmented_cyclegan_mnist_single_reduced.py
_base_ = ['_base_/models/augmented_cyclegan.py', '_base_/reduced/mnist_single.py']

# 28x28 digits: one step less for the code, to 4x4.
model = dict(
    generator=dict(
        image_generator=dict(base_channels=16),
        latent_encoder=dict(base_channels=16, num_downsamples=3)),
    discriminator=dict(base_channels=32),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_clip = dict(max_norm=500)
optim_wrapper = dict(
    generators=dict(clip_grad=_clip),
    discriminators=dict(optimizer=dict(lr=6e-4 / 5), clip_grad=_clip))
# One discriminator and one generator update per iteration, both on one minibatch: five times the
# iterations make as many generator updates.
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=5 * 500)
