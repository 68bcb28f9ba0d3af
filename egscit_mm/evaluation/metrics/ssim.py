# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""SSIM to the exemplar (the paper's protocol) and SSIM to the ground truth."""
from dataclasses import replace
from typing import Dict

import numpy as np
from mmagic.registry import METRICS
from PIL import Image
from PIL.Image import Resampling

from ...utils.errors import UserError
from ..functional import ssim
from .translation_metric import TranslatedImage, TranslationMetric


@METRICS.register_module()
class ExemplarSSIM(TranslationMetric):
    """SSIM between each translation and its exemplar, as in the paper's Tables 2, 4 and 5.

    A translation keeps the content of another image, so even a perfect one is far from 1. Where
    the samples carry ground truths, that ceiling is computed on the same images: the SSIM between
    the ground truth and the exemplar. The paper's EGSC-IT row of Table 2 is this ceiling. An
    exemplar of another size is resized (bilinear) to that of the translation.

    Results, for directions 'A2B' and 'B2A' (:class:`TranslationMetric` describes the arguments):

    - ``ssim_exemplar/A2B_mean``, ``ssim_exemplar/A2B_std``
    - ``ceiling_exemplar/A2B_mean``, ``ceiling_exemplar/A2B_std``, with ground truths only

    The standard deviation is that of the population of images (divided by n).
    """

    figures = ('ceiling_exemplar', 'ssim_exemplar')

    def measure(self, image: TranslatedImage) -> Dict[str, float]:
        """SSIM to the exemplar of the translation and, where there is one, of the ground truth."""
        height, width = image.translation.shape[:2]
        if image.exemplar.shape[:2] != (height, width) == image.content_shape:
            exemplar = Image.fromarray(image.exemplar).resize((width, height), Resampling.BILINEAR)
            image = replace(image, exemplar=np.asarray(exemplar))
        values = {'ssim_exemplar': _compare(image, 'translation', 'exemplar')}
        if image.ground_truth is not None:
            values['ceiling_exemplar'] = _compare(image, 'ground_truth', 'exemplar')
        return values


@METRICS.register_module()
class TranslationSSIM(TranslationMetric):
    """SSIM between each translation and its ground truth; 1 for a perfect model.

    The paper does not report it, but unlike the SSIM to the exemplar it rewards getting content
    and style right, and nothing else.

    Results, for directions 'A2B' and 'B2A' (:class:`TranslationMetric` describes the arguments):
    ``ssim_ground_truth/A2B_mean`` and ``ssim_ground_truth/A2B_std``, the standard deviation being
    that of the population of images (divided by n).
    """

    figures = ('ssim_ground_truth', )

    def measure(self, image: TranslatedImage) -> Dict[str, float]:
        """SSIM to the ground truth.

        Raises:
            ValueError: If the sample carries no ground truth.
        """
        image.needed_ground_truth()
        return {'ssim_ground_truth': _compare(image, 'translation', 'ground_truth')}


def _compare(image: TranslatedImage, first: str, second: str) -> float:
    """SSIM of two fields of `image`, with an error that names them."""
    try:
        return ssim(getattr(image, first), getattr(image, second))
    except ValueError as error:
        raise UserError(f'{image.name}: cannot compare {first} with {second}. {error}') from error
