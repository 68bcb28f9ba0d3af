# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""EGSC-IT (Ma et al., ICLR 2019): stage 1, stage 2 and their generator sides."""
from .autoencoders import DomainAutoencoders
from .egscit import EGSCIT, mask_image
from .translator import ExemplarTranslator
from .vaegan import VAEGAN

__all__ = ['DomainAutoencoders', 'EGSCIT', 'ExemplarTranslator', 'VAEGAN', 'mask_image']
