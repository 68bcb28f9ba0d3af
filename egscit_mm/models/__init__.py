# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .egscit import EGSCIT
from .exemplar_translation import ExemplarTranslationModel
from .losses import VGGPerceptualLoss
from .munit import MUNIT
from .networks import (
    ContentEncoder,
    DomainAutoencoders,
    DomainDiscriminators,
    ExemplarTranslator,
    ImageDecoder,
    MUNITContentEncoder,
    MUNITDecoder,
    MUNITStyleEncoder,
    MUNITTranslator,
)
from .vaegan import VAEGAN

__all__ = [
    'ContentEncoder', 'DomainAutoencoders', 'DomainDiscriminators', 'EGSCIT',
    'ExemplarTranslationModel', 'ExemplarTranslator', 'ImageDecoder', 'MUNIT',
    'MUNITContentEncoder', 'MUNITDecoder', 'MUNITStyleEncoder', 'MUNITTranslator', 'VAEGAN',
    'VGGPerceptualLoss'
]
