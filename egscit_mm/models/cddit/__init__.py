# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""CDD-IT (Gonzalez-Garcia et al., NeurIPS 2018), a baseline that is trained on pairs."""
from .cddit import CDDIT
from .networks import CDDITDecoder, CDDITEncoder, PairCritics
from .translator import CDDITTranslator

__all__ = ['CDDIT', 'CDDITDecoder', 'CDDITEncoder', 'CDDITTranslator', 'PairCritics']
