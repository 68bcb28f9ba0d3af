# Augmented CycleGAN (Almahairi et al., ICML 2018) at the widths of its release, with EGSC-IT's
# discriminators of images. One discriminator and one generator update per iteration, both on one
# minibatch, as in the release.
model = dict(
    type='AugmentedCycleGAN',
    generator=dict(
        type='AugmentedTranslator',
        image_generator=dict(
            type='ConditionalResnet',
            base_channels=32,
            num_downsamples=1,
            num_blocks=3,
            style_dim=16),
        latent_encoder=dict(
            type='LatentEncoder', base_channels=32, num_downsamples=4, style_dim=16)),
    discriminator=dict(
        type='AugmentedDiscriminators',
        base_channels=64,
        num_convs=4,
        style_dim=16,
        mlp_channels=64),
    loss_weights=dict(gan=1, cycle=1, style_code=0.025),
    discriminator_steps=1,
    generator_steps=1,
    split_batch=False,
    ema_config=dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
