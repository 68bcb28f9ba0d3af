# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What is measured on translations (paper, Sec. 4)."""
from .functional import ssim
from .metrics import ExemplarSSIM, TranslatedImage, TranslationMetric, TranslationSSIM

__all__ = ['ExemplarSSIM', 'TranslatedImage', 'TranslationMetric', 'TranslationSSIM', 'ssim']
