# Paper A.2: Adam(0.5, 0.999), learning rate lr * (1 - t / T)^0.9 over all T iterations.
_adam = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor='AlternatingOptimWrapperConstructor', generators=_adam, discriminators=_adam)
# "end" is the number of iterations: the Runner fills in train_cfg.max_iters.
param_scheduler = [dict(type='PolyDecayLR', by_epoch=False, power=0.9)]
train_cfg = dict(type='ResumableTrainLoop', max_iters=30000, val_interval=5000)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')
