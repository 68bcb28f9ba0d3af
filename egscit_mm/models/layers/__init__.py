# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .adain import ADAIN_FORMS, AdaIN, channel_statistics
from .feature_mask import feature_mask
from .padding import SameConv2d
from .residual import ResidualBlock

__all__ = [
    'ADAIN_FORMS', 'AdaIN', 'ResidualBlock', 'SameConv2d', 'channel_statistics', 'feature_mask'
]
