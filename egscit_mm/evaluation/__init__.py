# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What is measured on translations (paper, Sec. 4)."""
from .functional import (
    class_colour_errors,
    class_iou,
    confusion_matrix,
    content_leak,
    edge_map,
    match_lab_statistics,
    pixel_accuracy,
    retrieved,
    right_colours,
    ssim,
    stroke_hues,
    stroke_iou,
)
from .metrics import (
    ContentAccuracy,
    ContentLeak,
    ExemplarDiversity,
    ExemplarRetrieval,
    ExemplarSSIM,
    HueCorrelation,
    LPIPSDiversity,
    PixelAccuracy,
    SemanticColourError,
    StyleAccuracy,
    TranslatedImage,
    TranslationFID,
    TranslationKID,
    TranslationLPIPS,
    TranslationMetric,
    TranslationMIoU,
    TranslationSSIM,
)
from .networks import InceptionFeatures, LPIPSDistance, MMSegmenter

__all__ = [
    'ContentAccuracy', 'ContentLeak', 'ExemplarDiversity', 'ExemplarRetrieval', 'ExemplarSSIM',
    'HueCorrelation', 'InceptionFeatures', 'LPIPSDistance', 'LPIPSDiversity', 'MMSegmenter',
    'PixelAccuracy', 'SemanticColourError', 'StyleAccuracy', 'TranslatedImage', 'TranslationFID',
    'TranslationKID', 'TranslationLPIPS', 'TranslationMIoU', 'TranslationMetric', 'TranslationSSIM',
    'class_colour_errors', 'class_iou', 'confusion_matrix', 'content_leak', 'edge_map',
    'match_lab_statistics', 'pixel_accuracy', 'retrieved', 'right_colours', 'ssim', 'stroke_hues',
    'stroke_iou'
]
