# All but the model of MNIST-Single for a quarter of an hour on two CPU cores: a short schedule at a
# higher rate. All rows of tools/reproduce.py --table 2 --budget quick have it.
_base_ = ['../datasets/mnist_single.py', '../schedules/adam_poly.py', '../default_runtime.py']

_data_root = 'work_dirs/quickstart/data'
train_dataloader = dict(
    batch_size=4 * 6,  # a minibatch for each of the 1 + 5 updates
    num_workers=1, dataset=dict(data_root=_data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=_data_root))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=6e-4)), discriminators=dict(optimizer=dict(lr=4e-4)))
train_cfg = dict(max_iters=500)
# Evaluated once, by tools/test.py.
val_cfg = val_dataloader = val_evaluator = None
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=100))
custom_hooks = [dict(type='TranslationGridHook', interval=50)]
