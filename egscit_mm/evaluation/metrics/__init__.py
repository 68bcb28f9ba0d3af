# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Metrics on translations, registered in MMagic's ``METRICS``."""
from .ssim import ExemplarSSIM, TranslationSSIM
from .translation_metric import TranslatedImage, TranslationMetric

__all__ = ['ExemplarSSIM', 'TranslatedImage', 'TranslationMetric', 'TranslationSSIM']
