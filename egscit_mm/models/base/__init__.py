# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the models share: batches and tests, updates in turn, translation after an exemplar."""
from .alternating_gan import AlternatingGAN
from .exemplar_guided import ExemplarGuidedModel
from .exemplar_translation import ExemplarTranslationModel
from .image_model import ImageModel

__all__ = ['AlternatingGAN', 'ExemplarGuidedModel', 'ExemplarTranslationModel', 'ImageModel']
