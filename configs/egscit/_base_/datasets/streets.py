# python tools/dataset_converters/streets.py --size 256 512 --out data/streets
_base_ = 'exemplar_ground_truth.py'
_data_root = 'data/streets'
train_dataloader = dict(dataset=dict(data_root=_data_root))
val_dataloader = dict(dataset=dict(data_root=_data_root))
test_dataloader = val_dataloader

val_evaluator = dict(
    _delete_=True,
    type='Evaluator',
    metrics=[
        dict(type='TranslationSSIM'),
        dict(type='ExemplarSSIM'),
        dict(type='SemanticColourError'),
        dict(type='ContentLeak'),
        dict(type='ExemplarRetrieval'),
    ])
test_evaluator = val_evaluator
