# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether every class of a scene has the colour that the exemplar's style gives it."""
from typing import Any, Dict, List

import numpy as np
from mmagic.registry import METRICS

from ...utils.errors import UserError
from ..functional import class_colour_errors
from .content_labels import CLASSES, LabelledMetric, read_labels
from .translation_metric import TranslatedImage

CATEGORIES = CLASSES['labels8']


@METRICS.register_module()
class SemanticColourError(LabelledMetric):
    """Does the sky get the exemplar's sky, and the road its road?

    Per class, the absolute difference of its mean colour in the translation and in the ground
    truth, 0..255; 0 for a perfect model. ``tools/analysis/yardsticks.py`` has figures to put
    beside it, such as that of a transfer of colours that knows no classes.

    It needs ground truths and the labels of the contents: those of ``testA/NAME.png`` are read from
    ``testA_labels8/NAME.png``, one channel with the category of each pixel, 0 to 7
    (docs/datasets.md; painted streets have them).

    Results, for directions 'A2B' and 'B2A':

    - ``colour_error/A2B_mean``: per image the mean over the classes that it shows.
    - ``colour_error_<class>/A2B_mean``, such as ``colour_error_sky/A2B_mean``: over the images that
      show the class; missing where none does.
    - ``.._std``: standard deviation of the population of images.

    :class:`TranslationMetric` describes the arguments.
    """

    figures = ('colour_error', *(f'colour_error_{name}' for name in CATEGORIES))

    def measure(self, image: TranslatedImage) -> Dict[str, Any]:
        """Errors by class, (8,), NaN where the image does not show it.

        Raises:
            ValueError: If ground truth or labels are missing or do not fit.
        """
        truth, path = image.needed_ground_truth(), self.label_path(image)
        try:
            return dict(errors=class_colour_errors(
                image.translation, truth, read_labels(path), len(CATEGORIES)))
        except ValueError as error:
            raise UserError(f'{image.name}: {path} does not fit: {error}') from error

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Mean and spread over the images, of all classes and of each."""
        metrics = {}
        for source, target in self.directions:
            direction = f'{source}2{target}'
            errors = np.stack([result[f'errors/{direction}'] for result in results])
            values = {'colour_error': np.nanmean(errors, 1)}
            for name, column in zip(CATEGORIES, errors.T):
                values[f'colour_error_{name}'] = column[~np.isnan(column)]
            for name, numbers in values.items():
                if len(numbers):
                    metrics[f'{name}/{direction}_mean'] = float(np.mean(numbers))
                    metrics[f'{name}/{direction}_std'] = float(np.std(numbers))
        return metrics
