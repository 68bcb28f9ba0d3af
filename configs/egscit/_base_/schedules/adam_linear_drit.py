# DRIT's Adam(0.5, 0.999), lr 1e-4 and weight decay 1e-4, with linear decay from half time.
_base_ = 'adam_poly.py'
_side = dict(optimizer=dict(lr=1e-4, weight_decay=1e-4))
optim_wrapper = dict(
    generators=_side,
    discriminators=_side,
    content_discriminator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=4e-5, betas=(0.5, 0.999), weight_decay=1e-4),
        clip_grad=dict(max_norm=5)))
param_scheduler = [dict(type='PolyDecayLR', by_epoch=False, power=1, hold=0.5)]
