# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Methods, a room for each, and what they share."""
from .augmented_cyclegan import (
    AugmentedCycleGAN,
    AugmentedDiscriminators,
    AugmentedTranslator,
    ConditionalResnet,
    LatentEncoder,
)
from .base import AlternatingGAN, ExemplarGuidedModel, ExemplarTranslationModel
from .cddit import CDDIT, CDDITDecoder, CDDITEncoder, CDDITTranslator, PairCritics
from .drit import (
    DRIT,
    ContentDiscriminator,
    DRITAttributeEncoder,
    DRITContentEncoder,
    DRITDecoder,
    DRITDiscriminators,
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
from .style_transfer import (
    WCT,
    AdaINNetworks,
    AdaINStyleTransfer,
    NeuralStyle,
    PixelOptimisation,
    WCTNetworks,
)

__all__ = [
    'AdaINNetworks', 'AdaINStyleTransfer', 'AlternatingGAN', 'AugmentedCycleGAN',
    'AugmentedDiscriminators', 'AugmentedTranslator', 'CDDIT', 'CDDITDecoder', 'CDDITEncoder',
    'CDDITTranslator', 'ConditionalResnet', 'ContentDiscriminator', 'ContentEncoder', 'DRIT',
    'DRITAttributeEncoder', 'DRITContentEncoder', 'DRITDecoder', 'DRITDiscriminators',
    'DRITTranslator', 'DomainAutoencoders', 'DomainDiscriminators',
    'EGSCIT', 'ExemplarGuidedModel', 'ExemplarTranslationModel', 'ExemplarTranslator',
    'ImageDecoder', 'LatentEncoder', 'MUNIT', 'MUNITContentEncoder', 'MUNITDecoder',
    'MUNITStyleEncoder', 'MUNITTranslator', 'NeuralStyle', 'PairCritics', 'PixelOptimisation',
    'VAEGAN', 'VGGPerceptualLoss', 'WCT', 'WCTNetworks'
]
