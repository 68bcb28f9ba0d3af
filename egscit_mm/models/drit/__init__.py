# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""DRIT (Lee et al., ECCV 2018), a baseline."""
from .discriminators import ContentDiscriminator, DRITDiscriminators
from .drit import DRIT
from .networks import (
    DRITAttributeEncoder,
    DRITContentEncoder,
    DRITDecoder,
)
from .translator import DRITTranslator

__all__ = [
    'DRIT', 'ContentDiscriminator', 'DRITAttributeEncoder', 'DRITContentEncoder', 'DRITDecoder',
    'DRITDiscriminators', 'DRITTranslator'
]
