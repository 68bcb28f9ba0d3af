# All but the model of MNIST-Multiple for an hour on two CPU cores: small minibatches at a higher
# rate. All rows of tools/reproduce.py --table 5 --budget quick have it.
_base_ = ['../datasets/mnist_multi.py', '../schedules/adam_poly.py', '../default_runtime.py']

# Neither zoom nor flip: a mirrored digit is none.
train_dataloader = dict(
    batch_size=1 * 6,  # a minibatch for each of the 1 + 5 updates
    num_workers=1, dataset=dict(pipeline=_base_.test_pipeline))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.99)), clip_grad=dict(max_norm=10)),
    discriminators=dict(optimizer=dict(lr=2e-4), clip_grad=dict(max_norm=10)))
train_cfg = dict(max_iters=3000)
# Evaluated once, by tools/test.py.
val_cfg = val_dataloader = val_evaluator = None
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=200))
custom_hooks = [dict(type='TranslationGridHook', interval=200)]
