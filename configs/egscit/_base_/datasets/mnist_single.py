# python tools/dataset_converters/mnist.py --task single --source mnist --root MNIST_DIR \
#     --out data/mnist_single
_base_ = 'exemplar_ground_truth.py'
_data_root = 'data/mnist_single'
train_dataloader = dict(dataset=dict(data_root=_data_root))
val_dataloader = dict(batch_size=50, dataset=dict(data_root=_data_root))
test_dataloader = val_dataloader
