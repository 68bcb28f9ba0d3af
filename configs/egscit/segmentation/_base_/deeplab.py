# The segmenter of the paper's Table 3: a DeepLab at 256x512, one scale, Cityscapes' 19 classes,
# trained on labelled images of some kind (the leaves say which) and tested on real BDD.
#
# The paper used DeepLab v2 (TPAMI 2018) and does not say how it was trained. This is DeepLabV3,
# which MMSegmentation has instead (ASPPHead), with its schedule for Cityscapes: rows may be
# compared with each other, and with the paper's only in their order.
default_scope = 'mmseg'
custom_imports = dict(imports=['egscit_mm', 'egscit_mm.segmentation'], allow_failed_imports=False)

_norm_cfg = dict(type='BN')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=8,
        seg_pad_val=255),
    backbone=dict(
        type='ResNet',
        depth=101,
        # Output stride 8.
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        contract_dilation=True,
        norm_cfg=_norm_cfg,
        # torchvision's ImageNet weights; a path of a file works, too, and init_cfg=None without.
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    decode_head=dict(
        type='ASPPHead',
        in_channels=2048,
        channels=512,
        in_index=3,
        # The features are 32x64: rates up to 36, usual for larger images, would reach beyond them.
        dilations=(1, 6, 12, 18),
        num_classes=19,
        norm_cfg=_norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    test_cfg=dict(mode='whole'))

# Only flips: one scale, as in the paper, and no change of colours, which are what is compared.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
# Folders as tools/dataset_converters write them; CityscapesDataset has the classes, and pixels of
# label 255 count neither in the loss nor in the score.
_dataset = dict(
    type='CityscapesDataset',
    data_root='data/gta2bdd',
    img_suffix='.png',
    seg_map_suffix='.png')
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **_dataset,
        data_prefix=dict(seg_map_path='trainA_labels19'),  # img_path: see the leaves
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **_dataset,
        data_prefix=dict(img_path='testB', seg_map_path='testB_labels19'),
        pipeline=test_pipeline))
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='mmagic.PolyDecayLR', by_epoch=False, power=0.9)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40000)
test_cfg = dict(type='TestLoop')

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
    dist_cfg=dict(backend='nccl'))
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', interval=4000, by_epoch=False, max_keep_ckpts=2))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
