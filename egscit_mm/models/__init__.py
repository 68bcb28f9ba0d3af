# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Methods, a room for each, and what they share."""
from .base import AlternatingGAN, ExemplarGuidedModel, ExemplarTranslationModel
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
from .style_transfer import (
    WCT,
    AdaINNetworks,
    AdaINStyleTransfer,
    NeuralStyle,
    PixelOptimisation,
    WCTNetworks,
)

__all__ = [
    'AdaINNetworks', 'AdaINStyleTransfer', 'AlternatingGAN', 'ContentEncoder', 'DomainAutoencoders',
    'DomainDiscriminators', 'EGSCIT', 'ExemplarGuidedModel', 'ExemplarTranslationModel',
    'ExemplarTranslator', 'ImageDecoder', 'MUNIT', 'MUNITContentEncoder', 'MUNITDecoder',
    'MUNITStyleEncoder', 'MUNITTranslator', 'NeuralStyle', 'PixelOptimisation', 'VAEGAN',
    'VGGPerceptualLoss', 'WCT', 'WCTNetworks'
]
