# CycleGAN (Zhu et al., ICCV 2017), MMagic's own model with MMagic's settings. MMagic wraps its
# networks for distributed training in a way that by-passes the exchange of gradients: use one
# process.
model = dict(
    type='CycleGAN',
    generator=dict(
        type='ResnetGenerator',
        in_channels=3,
        out_channels=3,
        base_channels=64,
        norm_cfg=dict(type='IN'),
        use_dropout=False,
        num_blocks=6,  # CycleGAN's number for images of up to 128x128
        padding_mode='reflect',
        init_cfg=dict(type='normal', gain=0.02)),
    discriminator=dict(
        type='PatchDiscriminator',
        in_channels=3,
        base_channels=64,
        num_conv=3,
        norm_cfg=dict(type='IN'),
        init_cfg=dict(type='normal', gain=0.02)),
    default_domain='B',
    reachable_domains=['A', 'B'],
    related_domains=['A', 'B'],
    loss_config=dict(cycle_loss_weight=10., id_loss_weight=0.5),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
