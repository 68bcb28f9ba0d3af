# python tools/dataset_converters/mnist.py --task multiple --source mnist --root MNIST_DIR \
#     --out data/mnist_multi
_base_ = 'exemplar_ground_truth.py'
_data_root = 'data/mnist_multi'
train_dataloader = dict(dataset=dict(data_root=_data_root))
val_dataloader = dict(dataset=dict(data_root=_data_root))
test_dataloader = val_dataloader
