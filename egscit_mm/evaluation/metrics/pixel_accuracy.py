# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Share of the pixels that have the ground truth's colour."""
from itertools import permutations
from typing import Dict, List, Sequence

from mmagic.registry import METRICS

from ...utils.errors import UserError
from ..functional import pixel_accuracy
from .translation_metric import TranslatedImage, TranslationMetric

THRESHOLDS = (8, 16, 32, 64)


@METRICS.register_module()
class PixelAccuracy(TranslationMetric):
    """Share of the pixels whose colour is that of the ground truth; 1 for a perfect model.

    A pixel is right if no channel differs by more than a threshold. Most pixels of a digit image
    are background: without any digit, an image in the right background colour gets 0.88 on the
    first 1000 digits of MNIST's test set. StyleAccuracy and ContentAccuracy tell it apart.

    Results, by threshold t and direction: ``pixel_accuracy_<t>/A2B_mean`` and
    ``pixel_accuracy_<t>/A2B_std`` over the images.

    Args:
        thresholds (Sequence[int]): Differences, in grey levels of 0..255. Defaults to
            (8, 16, 32, 64).
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If there is no threshold, or one that is not a whole number in 0..254.
    """

    @classmethod
    def figure_names(cls, domains: Sequence[str], arguments: dict) -> List[str]:
        """Names of the results, by threshold."""
        return [f'pixel_accuracy_{threshold}/{source}2{target}_{statistic}'
                for threshold in arguments.get('thresholds', THRESHOLDS)
                for source, target in permutations(domains, 2) for statistic in ('mean', 'std')]

    def __init__(self, thresholds: Sequence[int] = THRESHOLDS, **kwargs) -> None:
        super().__init__(**kwargs)
        if not thresholds or any(threshold not in range(255) for threshold in thresholds):
            raise UserError('PixelAccuracy: thresholds must be one or more whole numbers in '
                            f'0..254, got {thresholds!r}')
        self.thresholds = tuple(thresholds)

    def measure(self, image: TranslatedImage) -> Dict[str, float]:
        """Share of right pixels by threshold."""
        shares = pixel_accuracy(image.translation, image.needed_ground_truth(), self.thresholds)
        return {
            f'pixel_accuracy_{threshold}': share
            for threshold, share in zip(self.thresholds, shares)
        }
