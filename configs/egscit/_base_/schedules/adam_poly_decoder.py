# Decoders of style transfer: Adam with AdaIN's rate, but EGSC-IT's decay of the rate to zero.
_base_ = 'adam_poly.py'
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.999)))
