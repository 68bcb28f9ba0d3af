# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Augmented CycleGAN (Almahairi et al., ICML 2018), a baseline."""
from .augmented_cyclegan import AugmentedCycleGAN
from .networks import AugmentedDiscriminators, ConditionalResnet, LatentEncoder
from .translator import AugmentedTranslator

__all__ = [
    'AugmentedCycleGAN', 'AugmentedDiscriminators', 'AugmentedTranslator', 'ConditionalResnet',
    'LatentEncoder'
]
