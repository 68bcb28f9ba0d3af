# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Networks that several methods share."""
from .decoder import ImageDecoder
from .discriminator import DomainDiscriminators
from .encoder import ContentEncoder
from .generator_side import CodeTranslator, GeneratorSide, Translator
from .vgg import VGGFeatures

__all__ = [
    'CodeTranslator', 'ContentEncoder', 'DomainDiscriminators', 'GeneratorSide', 'ImageDecoder',
    'Translator', 'VGGFeatures'
]
