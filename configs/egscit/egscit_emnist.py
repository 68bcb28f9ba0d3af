# EMNIST letters: the digit model of egscit_mnist_single.py, tested on letters.
#   python tools/dataset_converters/mnist.py --source emnist --root EMNIST_DIR --out data/emnist
#   python tools/test.py configs/egscit/egscit_emnist.py \
#       work_dirs/egscit_mnist_single/iter_60000.pth
# Letters in one domain and digits in the other are in folders of their own: add
#   --cfg-options test_dataloader.dataset.data_root=DIR
_base_ = 'egscit_mnist_single.py'

val_dataloader = dict(dataset=dict(data_root='data/emnist'))
test_dataloader = val_dataloader
