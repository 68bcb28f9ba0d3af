# DRIT (Lee et al., ECCV 2018), the form that concatenates attributes, with its own discriminators.
model = dict(
    type='DRIT',
    generator=dict(
        type='DRITTranslator',
        encoder=dict(
            type='DRITContentEncoder', base_channels=64, num_downsamples=2, num_blocks=3),
        attribute_encoder=dict(
            type='DRITAttributeEncoder', base_channels=64, num_blocks=3, style_dim=8),
        decoder=dict(
            type='DRITDecoder', base_channels=64, num_downsamples=2, num_blocks=3, style_dim=8)),
    discriminator=dict(type='DRITDiscriminators', base_channels=64, num_convs=4, num_scales=3),
    content_discriminator=dict(type='ContentDiscriminator', num_downsamples=3),
    loss_weights=dict(
        gan=1, random_gan=1, content_gan=1, reconstruction=10, cross_cycle=10, attribute_kl=0.01,
        content_l2=0.01, latent_regression=10),
    # A minibatch for each of these six updates.
    content_discriminator_steps=3,
    discriminator_steps=1,
    generator_steps=1,
    random_generator_steps=1,
    ema_config=dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
