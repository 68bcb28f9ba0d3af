# tools/dataset_converters/gta5.py --domain A and bdd100k.py --domain B (docs/datasets.md)
_base_ = 'exemplar.py'
train_dataloader = dict(dataset=dict(data_root='data/gta2bdd'))
