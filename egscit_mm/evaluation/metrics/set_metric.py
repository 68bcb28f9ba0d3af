# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the metrics share that look at all translations and all exemplars together."""
from abc import abstractmethod
from typing import Any, Dict, List, Tuple

import numpy as np
from torch import nn
from torch.utils.data import DataLoader

from ...utils.errors import UserError
from .translation_metric import TranslatedImage, TranslationMetric


class SetMetric(TranslationMetric):
    """Base of the metrics on vectors of translations and of exemplars, from all processes."""

    def needed(self) -> Tuple[int, str]:
        """How many test images there must be, and what asks for them."""
        return 2, 'it needs two or more'

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Refuses a test set that is too small, before anything is translated.

        Raises:
            UserError: If it is.
        """
        super().prepare(module, dataloader)
        number, reason = self.needed()
        if self.size < number:
            raise UserError(f'{type(self).__name__}: {reason}, but the test set has only '
                            f'{self.size} samples; add some, or change the metric')

    @abstractmethod
    def describe(self, images: List[np.ndarray]) -> np.ndarray:
        """Vectors (N, D) of images, uint8 RGB (H, W, 3)."""

    @abstractmethod
    def figures_of(self, translations: np.ndarray, exemplars: np.ndarray, own: np.ndarray,
                   direction: str) -> Dict[str, float]:
        """Results of one direction, by name.

        Args:
            translations (np.ndarray): Vectors of the translations, (N, D).
            exemplars (np.ndarray): Those of the exemplars, each once, (M, D).
            own (np.ndarray): Which of them is the exemplar of each translation, (N,).
            direction (str): Such as 'A2B'.
        """

    def measure_batch(self, images: List[TranslatedImage]) -> List[Dict[str, Any]]:
        """Vectors of the translations and the exemplars, and the exemplars' paths."""
        translations = self.describe([image.translation for image in images])
        exemplars = self.describe([image.exemplar for image in images])
        return [
            dict(translation=translation, exemplar=exemplar,
                 path=image.sample.get(f'img_{image.target}_path'))
            for image, translation, exemplar in zip(images, translations, exemplars)
        ]

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """:meth:`figures_of` all directions."""
        metrics = {}
        for source, target in self.directions:
            direction = f'{source}2{target}'
            exemplars, own = distinct(results, f'exemplar/{direction}', f'path/{direction}')
            translations = np.stack([result[f'translation/{direction}'] for result in results])
            metrics.update(self.figures_of(
                translations, np.stack(exemplars), np.array(own), direction))
        return metrics


def distinct(results: List[dict], value: str, path: str) -> Tuple[List[Any], List[int]]:
    """Values of images that come several times, each once.

    A domain with fewer images than another starts again.

    Args:
        results (list[dict]): Of all samples.
        value (str): Key of what is wanted.
        path (str): Key of the file of the image, None where the samples carry no paths: then every
            sample has an image of its own.

    Returns:
        tuple[list, list[int]]: The values, and for each result the place of its own.
    """
    places: Dict[Any, int] = {}
    values, own = [], []
    for index, result in enumerate(results):
        key = index if result[path] is None else result[path]
        if key not in places:
            places[key] = len(values)
            values.append(result[value])
        own.append(places[key])
    return values, own
