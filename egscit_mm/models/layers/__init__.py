# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .adain import ADAIN_FORMS, AdaIN, channel_statistics
from .conditional_instance_norm import ConditionalInstanceNorm
from .feature_mask import feature_mask
from .gradient_reversal import reverse_gradient
from .instance_residual import InstanceNormResidualBlock
from .latent_noise import add_latent_noise
from .padding import SameConv2d
from .precision import at_least_float32
from .residual import ResidualBlock
from .running_statistics import RunningStatistics
from .styles import (
    MeanStyle,
    mix_styles,
    region_maps,
    regional_statistics,
    regional_style,
    strengthen,
)

__all__ = [
    'ADAIN_FORMS', 'AdaIN', 'ConditionalInstanceNorm', 'InstanceNormResidualBlock', 'MeanStyle',
    'ResidualBlock', 'RunningStatistics', 'SameConv2d', 'add_latent_noise', 'at_least_float32',
    'channel_statistics', 'feature_mask', 'mix_styles', 'region_maps', 'regional_statistics',
    'regional_style', 'reverse_gradient', 'strengthen'
]
