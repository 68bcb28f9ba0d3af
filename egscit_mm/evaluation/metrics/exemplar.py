# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether translations have their exemplar's style, and nothing of its layout."""
from abc import abstractmethod
from typing import Dict, List, Optional, Tuple

import numpy as np
import torch
from mmagic.registry import METRICS
from mmengine.device import get_device
from torch import nn
from torch.utils.data import DataLoader

from ...models.losses.perceptual import PAPER_LAYERS
from ...models.networks.vgg import VGGFeatures
from ...utils.checks import check_integers
from ...utils.errors import UserError
from ...utils.image_sizes import map_equal
from ..functional import content_leak, edge_map, retrieved
from .set_metric import SetMetric


class ExemplarMetric(SetMetric):
    """Base of the metrics that compare each translation with its own and all other exemplars."""

    @abstractmethod
    def compare(self, translations: np.ndarray, exemplars: np.ndarray,
                own: np.ndarray) -> np.ndarray:
        """Figures (N,) of the translations of a direction.

        Args:
            translations (np.ndarray): Vectors of the translations, (N, D).
            exemplars (np.ndarray): Those of the exemplars, each once, (M, D).
            own (np.ndarray): Which of them is the exemplar of each translation, (N,).
        """

    def figures_of(self, translations: np.ndarray, exemplars: np.ndarray, own: np.ndarray,
                   direction: str) -> Dict[str, float]:
        """Mean and spread of :meth:`compare` over the translations."""
        try:
            values = self.compare(translations, exemplars, own)
        except ValueError as error:
            raise UserError(f'{type(self).__name__} {direction}: {error}') from error
        figure, = self.figures
        return {f'{figure}/{direction}_mean': float(np.mean(values)),
                f'{figure}/{direction}_std': float(np.std(values))}


@METRICS.register_module()
class ExemplarRetrieval(ExemplarMetric):
    """Share of the translations that are nearer to their own exemplar's style than to others.

    Style is the mean and the standard deviation of every channel of VGG features at the paper's
    five layers, relu1_1 to relu5_1. :func:`egscit_mm.evaluation.functional.retrieved` says how it
    is compared. A model that was trained to have such statistics, as by the style loss, has an
    advantage over others.

    Results, for directions 'A2B' and 'B2A': ``exemplar_retrieval/A2B_mean`` and
    ``exemplar_retrieval/A2B_std`` over the images. By chance it is 1 / (num_others + 1).

    Args:
        num_others (int): With so many other exemplars of the test set each is compared. Defaults
            to 9.
        pretrained (str | None): Weights, see :class:`VGGFeatures`. Defaults to ``'torchvision'``.
        base_channels (int): Width of the VGG. Defaults to 64.
        arch (str): ``'vgg16'`` or ``'vgg19'``. Defaults to ``'vgg19'``.
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If ``num_others`` is not 1 or more, or ``arch`` is unknown.
    """

    figures = ('exemplar_retrieval', )

    def __init__(self, num_others: int = 9, pretrained: Optional[str] = 'torchvision',
                 base_channels: int = 64, arch: str = 'vgg19', **kwargs) -> None:
        super().__init__(**kwargs)
        check_integers(self, 1, num_others=num_others, base_channels=base_channels)
        self.num_others = num_others
        self.vgg = VGGFeatures(PAPER_LAYERS, pretrained, base_channels, arch)

    def needed(self) -> Tuple[int, str]:
        """An exemplar, and the others."""
        return self.num_others + 1, f'num_others={self.num_others}'

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Load the weights, before anything is translated.

        Raises:
            FileNotFoundError: If they are not there and cannot be downloaded.
            ValueError: If the test set is too small.
        """
        super().prepare(module, dataloader)
        self._load()

    def _load(self) -> None:
        if not self.vgg.loaded:
            self.vgg.load_weights('ExemplarRetrieval.pretrained')
            self.vgg.to(get_device())

    def describe(self, images: List[np.ndarray]) -> np.ndarray:
        """Statistics of the features; images of equal size go through together."""
        self._load()
        return np.stack(map_equal(self._statistics, images, [image.shape for image in images]))

    @torch.no_grad()
    def _statistics(self, images: List[np.ndarray]) -> np.ndarray:
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(get_device())
        maps = [features.flatten(2) for features in self.vgg(batch / 127.5 - 1).values()]
        statistics = [part for x in maps for part in (x.mean(2), x.std(2, unbiased=False))]
        return torch.cat(statistics, 1).cpu().numpy()

    def compare(self, translations: np.ndarray, exemplars: np.ndarray,
                own: np.ndarray) -> np.ndarray:
        """1 where the own exemplar is the nearest, else 0."""
        return retrieved(translations, exemplars, own, self.num_others).astype(float)


@METRICS.register_module()
class ContentLeak(ExemplarMetric):
    """How much of the exemplar's layout is in the translation; 0 for a perfect model.

    Also 0 for flat translations, whose layout is nobody's: read it beside a figure of the content.

    The correlation of the translation's edges with those of its own exemplar, less the mean
    correlation with those of all other exemplars
    (:func:`egscit_mm.evaluation.functional.content_leak`).

    Results, for directions 'A2B' and 'B2A': ``content_leak/A2B_mean`` and ``content_leak/A2B_std``
    over the images.

    :class:`TranslationMetric` describes the arguments.
    """

    figures = ('content_leak', )

    def describe(self, images: List[np.ndarray]) -> np.ndarray:
        """Edges of the images."""
        return np.stack([edge_map(image) for image in images])

    def compare(self, translations: np.ndarray, exemplars: np.ndarray,
                own: np.ndarray) -> np.ndarray:
        """Correlation with the own exemplar less that with the others."""
        return content_leak(translations, exemplars, own)
