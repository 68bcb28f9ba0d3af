# tools/dataset_converters/celeba.py: A is male, B is not (docs/datasets.md)
_base_ = 'exemplar.py'
train_dataloader = dict(dataset=dict(data_root='data/celeba'))
