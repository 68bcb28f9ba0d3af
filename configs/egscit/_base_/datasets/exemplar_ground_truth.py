# Tasks whose test set has ground truths (testA2B, testB2A): the digit tasks.
_base_ = 'exemplar.py'

_domains = ['A', 'B']
_inputs = [f'img_{domain}' for domain in _domains]
_ground_truths = ['gt_A2B', 'gt_B2A']
_keys = _inputs + _ground_truths

# Not test_pipeline: MMagic's inferencers run that on a single image, without ground truths.
_ground_truth_pipeline = [
    *[
        dict(type='LoadImage', key=key, color_type='color', channel_order='bgr')
        for key in _keys
    ],
    dict(
        type='PackInputs',
        keys=_inputs,
        data_keys=_ground_truths,
        meta_keys=[
            f'{key}_{field}' for key in _keys for field in ('path', 'channel_order', 'color_type')
        ]),
]
val_dataloader = dict(dataset=dict(pipeline=_ground_truth_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='Evaluator',
    metrics=[
        dict(type='TranslationSSIM'),
        dict(type='ExemplarSSIM'),
        dict(type='StyleAccuracy'),
        dict(type='HueCorrelation'),
        dict(type='ContentAccuracy'),
        dict(type='PixelAccuracy'),
    ])
test_evaluator = val_evaluator
