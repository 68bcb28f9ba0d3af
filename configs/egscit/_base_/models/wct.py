# WCT (Li et al., NIPS 2017), images resized to 512 as EGSC-IT's authors did.
model = dict(
    type='WCT',
    generator=dict(type='WCTNetworks', size=512, alpha=0.6),
    loss_weights=dict(pixel=1, feature=1),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
