# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Pretrained networks that metrics look at images with."""
from .frozen import build_frozen
from .inception import InceptionFeatures
from .lpips import LPIPSDistance
from .segmenter import MMSegmenter

__all__ = ['InceptionFeatures', 'LPIPSDistance', 'MMSegmenter', 'build_frozen']
