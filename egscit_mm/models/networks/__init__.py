# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .autoencoder import DomainAutoencoders
from .decoder import ImageDecoder
from .discriminator import DomainDiscriminators
from .encoder import ContentEncoder
from .munit_networks import MUNITContentEncoder, MUNITDecoder, MUNITStyleEncoder
from .munit_translator import MUNITTranslator
from .translator import ExemplarTranslator
from .vgg import VGG19Features

__all__ = [
    'ContentEncoder', 'DomainAutoencoders', 'DomainDiscriminators', 'ExemplarTranslator',
    'ImageDecoder', 'MUNITContentEncoder', 'MUNITDecoder', 'MUNITStyleEncoder', 'MUNITTranslator',
    'VGG19Features'
]
