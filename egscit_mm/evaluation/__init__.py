# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What is measured on translations (paper, Sec. 4)."""
from .functional import (
    class_iou,
    confusion_matrix,
    pixel_accuracy,
    right_colours,
    ssim,
    stroke_iou,
)
from .metrics import (
    ContentAccuracy,
    ExemplarSSIM,
    LPIPSDiversity,
    PixelAccuracy,
    StyleAccuracy,
    TranslatedImage,
    TranslationFID,
    TranslationKID,
    TranslationMetric,
    TranslationMIoU,
    TranslationSSIM,
)
from .networks import InceptionFeatures, LPIPSDistance, MMSegmenter

__all__ = [
    'ContentAccuracy', 'ExemplarSSIM', 'InceptionFeatures', 'LPIPSDistance', 'LPIPSDiversity',
    'MMSegmenter', 'PixelAccuracy', 'StyleAccuracy', 'TranslatedImage', 'TranslationFID',
    'TranslationKID', 'TranslationMIoU', 'TranslationMetric', 'TranslationSSIM', 'class_iou',
    'confusion_matrix', 'pixel_accuracy', 'right_colours', 'ssim', 'stroke_iou'
]
