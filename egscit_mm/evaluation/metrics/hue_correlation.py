# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether translated digits have the hues that they should have."""
from typing import Any, Dict, List

import numpy as np
from mmagic.registry import METRICS

from ...utils.errors import UserError
from ..functional import stroke_hues
from .translation_metric import TranslatedImage, TranslationMetric


@METRICS.register_module()
class HueCorrelation(TranslationMetric):
    """Correlation of the strokes' hues with those of the ground truths, over all images.

    For MNIST-Multiple, where the digit decides the hue. Saturation and brightness are the
    exemplar's, and vary so much that a difference of colours says little about the hue. Here a
    colour is RGB less the mean of the three, as in
    :func:`egscit_mm.evaluation.functional.stroke_hues`, and the correlation is that of these
    numbers, over the pixels of all strokes of all images.

    Results, for directions 'A2B' and 'B2A': ``hue_correlation/A2B`` in [-1, 1]: 1 for a perfect
    model, 0 for grey strokes. A direction whose ground truths are all black, white or grey has no
    hues and so no figure.

    :class:`TranslationMetric` describes the arguments.
    """

    def measure(self, image: TranslatedImage) -> Dict[str, Any]:
        """Number, sums, squares and product of the hues, from which correlations are made."""
        truth = image.needed_ground_truth()
        try:
            found, wanted = (stroke_hues(x, truth).ravel() for x in (image.translation, truth))
        except ValueError as error:
            raise UserError(f'{image.name}: {error}') from error
        return dict(hues=np.array([
            len(wanted), found.sum(), wanted.sum(), found @ found, wanted @ wanted,
            found @ wanted]))

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """One correlation for each direction that has hues."""
        metrics = {}
        for source, target in self.directions:
            number, found, wanted, found2, wanted2, product = sum(
                result[f'hues/{source}2{target}'] for result in results)
            spread, own = (square - total**2 / number
                           for square, total in ((wanted2, wanted), (found2, found)))
            if spread > 0:
                metrics[f'hue_correlation/{source}2{target}'] = float(
                    (product - found * wanted / number) / (spread * own)**0.5) if own > 0 else 0.
        return metrics
