# Table 3, "MUNIT": a DeepLab trained on GTA5 as munit_gta2bdd.py translates it.
_base_ = '_base_/deeplab.py'
train_dataloader = dict(dataset=dict(data_prefix=dict(img_path='trainA_munit')))
