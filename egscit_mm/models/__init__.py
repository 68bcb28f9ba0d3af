# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Methods, a room for each, and what they share."""
from .base import AlternatingGAN, ExemplarTranslationModel
from .drit import (
    DRIT,
    ContentDiscriminator,
    DRITAttributeEncoder,
    DRITContentEncoder,
    DRITDecoder,
    DRITDiscriminators,
    DRITModulatedDecoder,
    DRITTranslator,
)
from .egscit import EGSCIT, VAEGAN, DomainAutoencoders, ExemplarTranslator
from .losses import VGGPerceptualLoss
from .munit import (
    MUNIT,
    MUNITContentEncoder,
    MUNITDecoder,
    MUNITStyleEncoder,
    MUNITTranslator,
)
from .networks import ContentEncoder, DomainDiscriminators, ImageDecoder

__all__ = [
    'AlternatingGAN', 'ContentDiscriminator', 'ContentEncoder', 'DRIT', 'DRITAttributeEncoder',
    'DRITContentEncoder', 'DRITDecoder', 'DRITDiscriminators', 'DRITModulatedDecoder',
    'DRITTranslator', 'DomainAutoencoders', 'DomainDiscriminators', 'EGSCIT',
    'ExemplarTranslationModel', 'ExemplarTranslator', 'ImageDecoder', 'MUNIT',
    'MUNITContentEncoder', 'MUNITDecoder', 'MUNITStyleEncoder', 'MUNITTranslator', 'VAEGAN',
    'VGGPerceptualLoss'
]
