# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .kl import kl_loss
from .perceptual import VGGPerceptualLoss, gram_matrix, normalize_channels

__all__ = ['VGGPerceptualLoss', 'gram_matrix', 'kl_loss', 'normalize_channels']
