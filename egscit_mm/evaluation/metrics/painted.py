# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether translated digits have the exemplar's colours and the content's shape."""
from typing import Dict

from mmagic.registry import METRICS

from ...utils.errors import UserError
from ..functional import right_colours, stroke_iou
from .translation_metric import TranslatedImage, TranslationMetric


@METRICS.register_module()
class StyleAccuracy(TranslationMetric):
    """Share of the translated digits that have the exemplar's colours, in whatever shape.

    For data sets whose ground truths are painted in flat colours: MNIST-Single, MNIST-Multiple,
    letters. :func:`egscit_mm.evaluation.functional.right_colours` says when a colour is right.

    Results, for directions 'A2B' and 'B2A':

    - ``style_accuracy/A2B_mean``: share of the translations all of whose colours are right, those
      of the background and of every digit.
    - ``colour_accuracy/A2B_mean``: share of the colours of a translation that are right. On
      MNIST-Multiple, with up to eleven of them, this is the one to look at.
    - ``.._std``: standard deviation of the population of images.

    Args:
        tolerance (int): Grey levels of 0..255 that a channel may be off. Defaults to 64.
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If the tolerance is not in 0..127, where colours are still told apart.
    """

    figures = ('colour_accuracy', 'style_accuracy')

    def __init__(self, tolerance: int = 64, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 <= tolerance <= 127:
            raise UserError(f'StyleAccuracy: tolerance must lie in 0..127, got {tolerance!r}')
        self.tolerance = tolerance

    def measure(self, image: TranslatedImage) -> Dict[str, float]:
        """Whether all colours are right, and which share of them."""
        truth = image.needed_ground_truth()
        try:
            right = right_colours(image.translation, truth, self.tolerance)
        except ValueError as error:
            raise UserError(f'{image.name}: {error}') from error
        return dict(style_accuracy=float(right.all()), colour_accuracy=float(right.mean()))


@METRICS.register_module()
class ContentAccuracy(TranslationMetric):
    """Share of the translated digits that have the content's shape, in whatever colours.

    For data sets whose ground truths are painted in flat colours: MNIST-Single, MNIST-Multiple,
    letters. :func:`egscit_mm.evaluation.functional.stroke_iou` says how strokes are found. It is
    a strict measure, as MNIST's strokes are two to four pixels wide: on the first 1000 digits of
    its test set, strokes that are one pixel too bold on one side get an intersection over union of
    0.78 in the mean, digits moved by one pixel 0.55, another digit 0.19.

    Results, for directions 'A2B' and 'B2A':

    - ``content_iou/A2B_mean``: intersection over union of the strokes.
    - ``content_accuracy/A2B_mean``: share of the translations with at least ``threshold`` of it.
    - ``.._std``: standard deviation of the population of images.

    Args:
        threshold (float): Intersection over union of a right shape. Defaults to 0.8.
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If the threshold is not in (0, 1].
    """

    figures = ('content_accuracy', 'content_iou')

    def __init__(self, threshold: float = 0.8, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 < threshold <= 1:
            raise UserError(f'ContentAccuracy: threshold must lie in (0, 1], got {threshold!r}')
        self.threshold = threshold

    def measure(self, image: TranslatedImage) -> Dict[str, float]:
        """Intersection over union of the strokes, and whether it is enough."""
        truth = image.needed_ground_truth()
        try:
            iou = stroke_iou(image.translation, truth)
        except ValueError as error:
            raise UserError(f'{image.name}: {error}') from error
        return dict(content_accuracy=float(iou >= self.threshold), content_iou=iou)
