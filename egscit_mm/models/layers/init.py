# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Initialisation of encoders and decoders."""

# Normal with std 0.02, redrawn beyond two standard deviations (the release's TensorFlow
# initialiser); torch takes the bounds as absolute values. Biases start at zero.
TRUNC_NORMAL = dict(
    type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.02, a=-0.04, b=0.04)
