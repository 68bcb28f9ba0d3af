# MUNIT's Adam(0.5, 0.999), lr 1e-4 and weight decay 1e-4, but EGSC-IT's decay of the rate to zero:
# MUNIT halves it every 100,000 iterations, more than any of the tasks has.
_base_ = 'adam_poly.py'
_side = dict(optimizer=dict(lr=1e-4, weight_decay=1e-4))
optim_wrapper = dict(generators=_side, discriminators=_side)
