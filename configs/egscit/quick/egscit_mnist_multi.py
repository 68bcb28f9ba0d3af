# The reduced EGSC-IT as a row of tools/reproduce.py --table 5 --budget quick.
_base_ = '../egscit_mnist_multi_reduced.py'
stage1_config = '../vaegan_mnist_multi_reduced.py'
