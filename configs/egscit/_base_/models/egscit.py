# Stage 2 (paper Sec. 3, Fig. 2): n1 = 3, n2 = 4, n3 = 5; the weights lambda_c and lambda_s of
# the perceptual loss are set per task (Table 6).
model = dict(
    type='EGSCIT',
    generator=dict(
        type='ExemplarTranslator',
        encoder=dict(type='ContentEncoder', base_channels=64, num_downsamples=2, num_blocks=3),
        decoder=dict(type='ImageDecoder', base_channels=64, num_downsamples=2, num_blocks=3),
        eta=0.5,
        adain='release'),
    discriminator=dict(type='DomainDiscriminators', base_channels=64, num_convs=4),
    perceptual_loss=dict(
        type='VGGPerceptualLoss', pretrained='torchvision', content_weight=1e2, style_weight=1e4),
    loss_weights=dict(gan=10, reconstruction=100, kl=0.1, cycle=100, cycle_kl=0.1),
    discriminator_steps=1,
    generator_steps=5,
    ema_config=dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
