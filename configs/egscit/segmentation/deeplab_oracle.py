# Table 3, "oracle": a DeepLab trained on real BDD with its labels.
_base_ = '_base_/deeplab.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(img_path='trainB', seg_map_path='trainB_labels19')))
