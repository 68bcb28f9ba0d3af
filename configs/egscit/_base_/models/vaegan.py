# Stage 1 (paper Sec. 3.3): a VAE-GAN per domain, whose encoders become the feature networks.
model = dict(
    type='VAEGAN',
    generator=dict(
        type='DomainAutoencoders',
        encoder=dict(type='ContentEncoder', base_channels=64, num_downsamples=2, num_blocks=3),
        decoder=dict(type='ImageDecoder', base_channels=64, num_downsamples=2, num_blocks=3)),
    discriminator=dict(type='DomainDiscriminators', base_channels=64, num_convs=4),
    loss_weights=dict(gan=10, reconstruction=100, kl=0.1),
    discriminator_steps=1,
    generator_steps=1,
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
