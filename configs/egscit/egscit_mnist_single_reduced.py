# The quickstart's EGSC-IT as a row of tools/reproduce.py --table 2 --budget quick.
#   python tools/train.py configs/egscit/egscit_mnist_single_reduced.py
_base_ = 'egscit_quickstart.py'
