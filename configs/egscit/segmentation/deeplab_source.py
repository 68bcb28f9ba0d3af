# Table 3, "source": a DeepLab trained on GTA5 as it is.
_base_ = '_base_/deeplab.py'
train_dataloader = dict(dataset=dict(data_prefix=dict(img_path='trainA')))
