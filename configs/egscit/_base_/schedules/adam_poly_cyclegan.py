# CycleGAN's rate, decaying as EGSC-IT's (CycleGAN's own decays linearly in the second half).
_base_ = 'adam_poly.py'
_side = dict(optimizer=dict(lr=2e-4))
optim_wrapper = dict(generators=_side, discriminators=_side)
