# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Numbers computed from arrays, without state and without configs."""
from .colour_error import class_colour_errors
from .exemplar import content_leak, edge_map, retrieved
from .flicker import flicker
from .lab_transfer import match_lab_statistics
from .painted import right_colours, stroke_hues, stroke_iou
from .pixel_accuracy import pixel_accuracy
from .semantic_iou import class_iou, confusion_matrix
from .ssim import ssim

__all__ = [
    'class_colour_errors', 'class_iou', 'confusion_matrix', 'content_leak', 'edge_map', 'flicker',
    'match_lab_statistics', 'pixel_accuracy', 'retrieved', 'right_colours', 'ssim', 'stroke_hues',
    'stroke_iou'
]
