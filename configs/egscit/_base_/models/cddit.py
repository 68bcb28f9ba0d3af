# CDD-IT (Gonzalez-Garcia et al., NeurIPS 2018) at the widths of its release. It is trained on
# pairs. One update of the critics and one of the generators per iteration, both on one minibatch,
# as in the release.
model = dict(
    type='CDDIT',
    generator=dict(
        type='CDDITTranslator',
        encoder=dict(
            type='CDDITEncoder', base_channels=64, num_convs=5, num_downsamples=5, style_dim=8),
        decoder=dict(
            type='CDDITDecoder',
            base_channels=64,
            num_convs=5,
            num_downsamples=5,
            style_dim=8,
            noise=0.1,
            dropout=0.5)),
    discriminator=dict(type='PairCritics', base_channels=64, num_convs=3),
    # The release has 100 for the last two, too, but an Adam for each loss, which takes its weight
    # out again. In one sum they make maps and codes the same for all images, which is a minimum.
    loss_weights=dict(gan=1, penalty=10, exclusive=0.1, autoencoding=100, shared=1, code=1),
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
