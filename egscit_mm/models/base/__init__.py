# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What every model has: updates in turn; and what those have that translate after an exemplar."""
from .alternating_gan import AlternatingGAN
from .exemplar_translation import ExemplarTranslationModel

__all__ = ['AlternatingGAN', 'ExemplarTranslationModel']
