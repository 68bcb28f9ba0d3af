# A small DeepLab for the painted streets of tools/reproduce.py --table 3 --budget quick: 64x128
# pixels, eight categories, a few minutes on one CPU core. Trained on A as it is ("source"); the
# other rows have another img_path, the oracle (B with its own labels) another seg_map_path as well.
_base_ = '_base_/deeplab.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        # Output stride 4: objects are a few pixels wide.
        strides=(1, 1, 1, 1),
        init_cfg=None),
    decode_head=dict(
        in_channels=128,
        channels=32,
        dilations=(1, 3, 6, 9),  # the features are 16x32
        num_classes=8))
_dataset = dict(
    type='BaseSegDataset',
    data_root='data/streets_reduced',
    metainfo=dict(classes=(
        'void', 'flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')))
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        **_dataset, data_prefix=dict(img_path='trainA', seg_map_path='trainA_labels8')))
test_dataloader = dict(
    num_workers=1, dataset=dict(**_dataset, data_prefix=dict(seg_map_path='testB_labels8')))
# From random weights.
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=2e-3))
train_cfg = dict(max_iters=600)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=200))
