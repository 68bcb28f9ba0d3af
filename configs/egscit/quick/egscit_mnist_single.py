# The quickstart's EGSC-IT as a row of tools/reproduce.py --table 2 --budget quick.
_base_ = '../egscit_quickstart.py'
stage1_config = '../vaegan_quickstart.py'
