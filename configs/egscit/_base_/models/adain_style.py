# AdaIN (Huang and Belongie, ICCV 2017), images resized to 512 as EGSC-IT's authors did.
model = dict(
    type='AdaINStyleTransfer',
    generator=dict(type='AdaINNetworks', size=512, alpha=1.),
    loss_weights=dict(content=1, style=10),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
