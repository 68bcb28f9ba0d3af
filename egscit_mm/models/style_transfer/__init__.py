# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Style transfer, baselines of the paper's Table 4."""
from .adain import AdaINNetworks, AdaINStyleTransfer
from .neural_style import NeuralStyle, PixelOptimisation
from .wct import WCT, WCTNetworks

__all__ = [
    'AdaINNetworks', 'AdaINStyleTransfer', 'NeuralStyle', 'PixelOptimisation', 'WCT', 'WCTNetworks'
]
