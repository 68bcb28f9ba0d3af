# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .egscit import EGSCIT
from .losses import VGGPerceptualLoss
from .networks import (
                       ContentEncoder,
                       DomainAutoencoders,
                       DomainDiscriminators,
                       ExemplarTranslator,
                       ImageDecoder,
)
from .vaegan import VAEGAN

__all__ = [
    'ContentEncoder', 'DomainAutoencoders', 'DomainDiscriminators', 'EGSCIT',
    'ExemplarTranslator', 'ImageDecoder', 'VAEGAN', 'VGGPerceptualLoss'
]
