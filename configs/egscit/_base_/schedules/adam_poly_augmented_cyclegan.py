# Augmented CycleGAN's rates, a fifth for the discriminators, and its clipping, but EGSC-IT's decay
# (its own is linear in the second half).
_base_ = 'adam_poly.py'
_clip = dict(max_norm=500)
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=2e-4), clip_grad=_clip),
    discriminators=dict(optimizer=dict(lr=4e-5), clip_grad=_clip))
