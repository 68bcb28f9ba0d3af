# CDD-IT's rate, but EGSC-IT's decay (its own is constant).
_base_ = 'adam_poly.py'
_side = dict(optimizer=dict(lr=2e-4))
optim_wrapper = dict(generators=_side, discriminators=_side)
