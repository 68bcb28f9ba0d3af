# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""MUNIT (Huang et al., ECCV 2018), a baseline."""
from .munit import MUNIT
from .networks import MUNITContentEncoder, MUNITDecoder, MUNITStyleEncoder
from .translator import MUNITTranslator

__all__ = [
    'MUNIT', 'MUNITContentEncoder', 'MUNITDecoder', 'MUNITStyleEncoder', 'MUNITTranslator'
]
