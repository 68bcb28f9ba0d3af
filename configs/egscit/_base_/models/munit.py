# MUNIT (Huang et al., ECCV 2018, Sec. 5.1) with EGSC-IT's discriminators and updates, so that both
# are compared on the same number of updates and images.
model = dict(
    type='MUNIT',
    generator=dict(
        type='MUNITTranslator',
        encoder=dict(
            type='MUNITContentEncoder', base_channels=64, num_downsamples=2, num_blocks=4),
        style_encoder=dict(
            type='MUNITStyleEncoder', base_channels=64, num_downsamples=4, style_dim=8),
        decoder=dict(
            type='MUNITDecoder',
            base_channels=64,
            num_downsamples=2,
            num_blocks=4,
            style_dim=8,
            mlp_channels=256)),
    discriminator=dict(type='DomainDiscriminators', base_channels=64, num_convs=4),
    loss_weights=dict(gan=1, reconstruction=10, content_code=1, style_code=1, cycle=0),
    discriminator_steps=1,
    generator_steps=5,
    ema_config=dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
