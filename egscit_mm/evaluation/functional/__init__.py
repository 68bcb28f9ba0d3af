# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Numbers computed from arrays, without state and without configs."""
from .flicker import flicker
from .painted import right_colours, stroke_iou
from .pixel_accuracy import pixel_accuracy
from .semantic_iou import class_iou, confusion_matrix
from .ssim import ssim

__all__ = [
    'class_iou', 'confusion_matrix', 'flicker', 'pixel_accuracy', 'right_colours',
    'ssim', 'stroke_iou'
]
