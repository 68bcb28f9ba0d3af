# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Distances between the set of translations and the set of real images of their domain."""
import warnings
from abc import abstractmethod
from itertools import permutations
from typing import Dict, List, Sequence, Tuple, Union

import numpy as np
import torch
from mmagic.registry import METRICS
from mmengine.device import get_device
from torch import Tensor, nn

from ...utils.checks import check_integers
from ...utils.errors import UserError
from ...utils.image_sizes import map_equal
from ..networks import build_frozen
from ..optional import import_optional
from .set_metric import SetMetric


class InceptionDistance(SetMetric):
    """Base of FID and KID: features of translations and of real images, from all processes.

    The real images are the exemplars: the test images of the target domain, each once (where the
    samples carry no paths, once per sample).

    Args:
        extractor (dict | nn.Module, optional): Config in ``MODELS``, or module: from images, uint8
            RGB (N, 3, H, W), to features (N, D). Defaults to None, :class:`InceptionFeatures` with
            its own download; ``dict(type='InceptionFeatures', weights='FILE')`` takes a local file.
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ModuleNotFoundError: If torchmetrics is not installed.
    """

    def __init__(self,
                 extractor: Union[dict, nn.Module, None] = None,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        import_optional('torchmetrics')
        self.extractor = build_frozen(extractor or dict(type='InceptionFeatures'))

    @torch.no_grad()
    def describe(self, images: List[np.ndarray]) -> np.ndarray:
        """Features of images; those of equal size go through together."""

        def extract(equal: List[np.ndarray]) -> Tensor:
            batch = torch.from_numpy(np.stack(equal)).permute(0, 3, 1, 2)
            return self.extractor(batch.to(get_device())).cpu()

        features = torch.stack(map_equal(extract, images, [image.shape for image in images]))
        if features.ndim != 2:
            raise UserError(f'{type(self).__name__}: the extractor must give features of shape '
                            f'(N, D), but gave {tuple(features.shape)}')
        return features.numpy()

    def figures_of(self, translations: np.ndarray, exemplars: np.ndarray, own: np.ndarray,
                   direction: str) -> Dict[str, float]:
        """:meth:`distance` of the translations to the exemplars, which are the real images."""
        real, made = (torch.from_numpy(features).double() for features in (exemplars, translations))
        return self.distance(real, made, direction)

    @abstractmethod
    def distance(self, real: Tensor, translations: Tensor, direction: str) -> Dict[str, float]:
        """Results of one direction, by name.

        Args:
            real (Tensor): Features of the real images, (N, D), float64.
            translations (Tensor): Those of the translations, (M, D), float64.
            direction (str): Such as 'A2B'.
        """


# The results are gathered already, in one process, which must not wait for the others.
_ALONE = dict(sync_on_compute=False)


def _computed(distance, real: Tensor, translations: Tensor):
    distance.update(real, real=True)
    distance.update(translations, real=False)
    return distance.compute()


def _features_as_images(num_features: int) -> nn.Module:
    """What torchmetrics takes for the network: its 'images' are our features already."""
    identity = nn.Identity()
    identity.num_features = num_features
    return identity


@METRICS.register_module()
class TranslationFID(InceptionDistance):
    """Fréchet Inception distance (Heusel et al., NIPS 2017), computed by torchmetrics.

    0 for identical sets, without upper bound. It is biased upwards and unstable with few images:
    figures from fewer than some ten thousand images compare with figures from equally many images
    only, and with fewer images than the 2048 features the covariances are singular. KID has no such
    bias.

    Results, for directions 'A2B' and 'B2A': ``fid/A2B``. :class:`InceptionDistance` describes the
    arguments.
    """

    @classmethod
    def figure_names(cls, domains: Sequence[str], arguments: dict) -> List[str]:
        """``fid/<direction>``."""
        return [f'fid/{source}2{target}' for source, target in permutations(domains, 2)]

    def distance(self, real: Tensor, translations: Tensor, direction: str) -> Dict[str, float]:
        """FID of one direction.

        Raises:
            ValueError: If a set has fewer than two images.
        """
        if min(len(real), len(translations)) < 2:
            raise UserError(f'TranslationFID {direction} needs two images or more in each set, got '
                            f'{len(translations)} translations and {len(real)} real images')
        distance = import_optional('torchmetrics.image.fid').FrechetInceptionDistance(
            feature=_features_as_images(real.shape[1]), **_ALONE)
        return {f'fid/{direction}': _computed(distance, real, translations).item()}


@METRICS.register_module()
class TranslationKID(InceptionDistance):
    """Kernel Inception distance (Binkowski et al., ICLR 2018), computed by torchmetrics.

    About 0 for sets of one distribution (negative values are chance), without upper bound. Unlike
    FID it is unbiased, so that small sets can be used, but the smaller the sets the larger its
    variance.

    Results, for directions 'A2B' and 'B2A': ``kid/A2B_mean`` and ``kid/A2B_std`` over random
    subsets, which are the same in every run.

    Args:
        subsets (int): Number of subsets. Defaults to 100.
        subset_size (int): Images of each set in a subset. Defaults to 100.
        **kwargs: Arguments of :class:`InceptionDistance`.
    """

    figures = ('kid', )

    def __init__(self, *args, subsets: int = 100, subset_size: int = 100, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        check_integers(self, 1, subsets=subsets, subset_size=subset_size)
        self.subsets = subsets
        self.subset_size = subset_size

    def needed(self) -> Tuple[int, str]:
        """As many as a subset has."""
        return self.subset_size, f'subset_size={self.subset_size}'

    def distance(self, real: Tensor, translations: Tensor, direction: str) -> Dict[str, float]:
        """KID of one direction.

        Raises:
            ValueError: If a set is smaller than a subset.
        """
        if min(len(real), len(translations)) < self.subset_size:
            raise UserError(
                f'TranslationKID {direction}: subset_size={self.subset_size} is more than there '
                f'are images, {len(translations)} translations and {len(real)} real images. Give a '
                'smaller subset_size.')
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='.*will save all extracted features')
            distance = import_optional('torchmetrics.image.kid').KernelInceptionDistance(
                feature=_features_as_images(real.shape[1]), subsets=self.subsets,
                subset_size=self.subset_size, **_ALONE)
        # torchmetrics draws from the global generator, which the training goes on with.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            mean, std = _computed(distance, real, translations)
        return {f'kid/{direction}_mean': mean.item(), f'kid/{direction}_std': std.item()}
