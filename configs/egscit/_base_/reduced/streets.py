# All but the model of painted streets for one CPU core: 64x128 pixels, small minibatches and a
# short schedule at a higher rate. All rows of tools/reproduce.py --table 3 --budget quick have it.
# python tools/dataset_converters/streets.py --size 64 128 --num-train 1000 --num-test 200 \
#     --out data/streets_reduced
_base_ = ['../datasets/streets.py', '../schedules/adam_poly.py', '../default_runtime.py']

_data_root = 'data/streets_reduced'
train_dataloader = dict(
    batch_size=1 * 6,  # a minibatch for each of the 1 + 5 updates
    num_workers=1, dataset=dict(data_root=_data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=_data_root))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=4e-4), clip_grad=dict(max_norm=10)),
    discriminators=dict(optimizer=dict(lr=4e-4), clip_grad=dict(max_norm=10)))
train_cfg = dict(max_iters=600)
# With the network of the perceptual loss of egscit_streets_reduced.py.
test_evaluator = dict(metrics=[
    *_base_.test_evaluator.metrics[:-1],
    dict(type='ExemplarRetrieval', arch='vgg16', pretrained='data/vgg16.pth'),
])
# Evaluated once, by tools/test.py.
val_cfg = val_dataloader = val_evaluator = None
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=100))
custom_hooks = [dict(type='TranslationGridHook', interval=100)]
