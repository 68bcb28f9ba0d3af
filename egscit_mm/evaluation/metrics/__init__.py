# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Metrics on translations, registered in MMagic's ``METRICS``."""
from .inception_distance import TranslationFID, TranslationKID
from .lpips_diversity import LPIPSDiversity
from .painted import ContentAccuracy, StyleAccuracy
from .pixel_accuracy import PixelAccuracy
from .semantic_iou import TranslationMIoU
from .ssim import ExemplarSSIM, TranslationSSIM
from .translation_metric import TranslatedImage, TranslationMetric

__all__ = [
    'ContentAccuracy', 'ExemplarSSIM', 'LPIPSDiversity', 'PixelAccuracy', 'StyleAccuracy',
    'TranslatedImage', 'TranslationFID', 'TranslationKID', 'TranslationMIoU', 'TranslationMetric',
    'TranslationSSIM'
]
