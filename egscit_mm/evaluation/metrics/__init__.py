# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Metrics on translations, registered in MMagic's ``METRICS``."""
from .colour_error import SemanticColourError
from .diversity import ExemplarDiversity, LPIPSDiversity
from .exemplar import ContentLeak, ExemplarRetrieval
from .hue_correlation import HueCorrelation
from .inception_distance import TranslationFID, TranslationKID
from .lpips_ground_truth import TranslationLPIPS
from .painted import ContentAccuracy, StyleAccuracy
from .pixel_accuracy import PixelAccuracy
from .semantic_iou import TranslationMIoU
from .ssim import ExemplarSSIM, TranslationSSIM
from .translation_metric import TranslatedImage, TranslationMetric

__all__ = [
    'ContentAccuracy', 'ContentLeak', 'ExemplarDiversity', 'ExemplarRetrieval', 'ExemplarSSIM',
    'HueCorrelation', 'LPIPSDiversity', 'PixelAccuracy', 'SemanticColourError', 'StyleAccuracy',
    'TranslatedImage', 'TranslationFID', 'TranslationKID', 'TranslationLPIPS', 'TranslationMIoU',
    'TranslationMetric', 'TranslationSSIM'
]
