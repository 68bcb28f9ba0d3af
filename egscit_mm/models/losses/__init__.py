# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Losses of images, scores and latents; none of them knows its weight but the perceptual one."""
from .cross_entropy import bce_loss, domain_confusion_loss, domain_loss
from .kl import gaussian_kl_loss, kl_loss
from .lsgan import lsgan_accuracies, lsgan_discriminator_loss, lsgan_generator_loss
from .perceptual import VGGPerceptualLoss, gram_matrix, normalize_channels
from .reconstruction import as_shown, reconstruction_loss
from .wgan import gradient_penalty, interpolated, wasserstein_loss

__all__ = [
    'VGGPerceptualLoss', 'as_shown', 'bce_loss', 'domain_confusion_loss', 'domain_loss',
    'gaussian_kl_loss', 'gradient_penalty', 'gram_matrix', 'interpolated', 'kl_loss',
    'lsgan_accuracies', 'lsgan_discriminator_loss', 'lsgan_generator_loss', 'normalize_channels',
    'reconstruction_loss', 'wasserstein_loss'
]
