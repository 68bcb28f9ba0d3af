# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""LPIPS to the ground truth."""
from typing import Dict, List, Union

import numpy as np
import torch
from mmagic.registry import METRICS
from mmengine.device import get_device
from torch import Tensor, nn

from ...utils.image_sizes import map_equal
from ..networks import build_frozen
from .translation_metric import TranslatedImage, TranslationMetric


@METRICS.register_module()
class TranslationLPIPS(TranslationMetric):
    """LPIPS distance between each translation and its ground truth; 0 for a perfect model.

    Results, for directions 'A2B' and 'B2A': ``lpips_ground_truth/A2B_mean`` and
    ``lpips_ground_truth/A2B_std``, the standard deviation being that of the population of images.

    Args:
        distance (dict | nn.Module, optional): As for :class:`LPIPSDiversity`. Defaults to None,
            :class:`LPIPSDistance` with torchvision's download.
        **kwargs: Arguments of :class:`TranslationMetric`.
    """

    figures = ('lpips_ground_truth', )

    def __init__(self, distance: Union[dict, nn.Module, None] = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.distance = build_frozen(distance or dict(type='LPIPSDistance'))

    def measure_batch(self, images: List[TranslatedImage]) -> List[Dict[str, float]]:
        """Distances of the translations; those of equal size go through together.

        Raises:
            ValueError: If a sample carries no ground truth.
        """
        return map_equal(self._distances, images, [image.translation.shape for image in images])

    @torch.no_grad()
    def _distances(self, images: List[TranslatedImage]) -> List[Dict[str, float]]:

        def batch(arrays: List[np.ndarray]) -> Tensor:
            tensor = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
            return tensor.to(get_device()) / 127.5 - 1

        distances = self.distance(batch([image.translation for image in images]),
                                  batch([image.needed_ground_truth() for image in images]))
        return [dict(lpips_ground_truth=value) for value in distances.tolist()]
