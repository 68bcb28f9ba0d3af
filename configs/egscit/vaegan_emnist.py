# Stage 1 of egscit_emnist.py is MNIST-Single's, in the same folder: letters are for testing only.
_base_ = 'vaegan_mnist_single.py'
work_dir = 'work_dirs/vaegan_mnist_single'
