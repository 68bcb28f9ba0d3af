# CycleGAN's folder layout: trainA, trainB, testA, testB; a leaf sets data_root.
_domains = ['A', 'B']
_keys = [f'img_{domain}' for domain in _domains]
_meta_keys = [
    f'{key}_{field}' for key in _keys for field in ('path', 'channel_order', 'color_type')
]

train_pipeline = [
    *[
        dict(type='LoadImage', key=key, color_type='color', channel_order='bgr')
        for key in _keys
    ],
    # Paper A.2: flip and random crop. The release's figures: with p = 0.5 a crop of scale 0.8 to 1,
    # resized back; flip with p = 0.5. The images are not paired: each has its own chance.
    dict(type='RandomZoomCrop', keys=_keys, scale=(0.8, 1.0), prob=0.5),
    *[dict(type='Flip', keys=[key], direction='horizontal', flip_ratio=0.5) for key in _keys],
    dict(type='PackInputs', keys=_keys, meta_keys=_meta_keys),
]
test_pipeline = [
    *[
        dict(type='LoadImage', key=key, color_type='color', channel_order='bgr')
        for key in _keys
    ],
    dict(type='PackInputs', keys=_keys, meta_keys=_meta_keys),
]

train_dataloader = dict(
    batch_size=6,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    collate_fn=dict(type='stack_collate'),
    dataset=dict(type='ExemplarImageDataset', data_root=None, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ExemplarImageDataset', data_root=None, test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
