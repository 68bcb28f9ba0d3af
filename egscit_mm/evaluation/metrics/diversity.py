# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""How much translations of one content differ with the exemplar."""
import inspect
from itertools import combinations
from math import ceil
from typing import Dict, List, Optional, Sequence, Union

import numpy as np
import torch
import torch.nn.functional as F
from mmagic.registry import METRICS
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ...utils.checks import check_integers
from ...utils.errors import RunError, UserError
from ...utils.image_sizes import map_parts
from ..networks import build_frozen
from .translation_metric import TranslationMetric


class PixelDifference(nn.Module):
    """Mean absolute difference of two images, 0 to 255."""

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """RGB in [-1, 1], clipped to it, (N, 3, H, W) both -> (N,)."""
        return (images.clamp(-1, 1) - others.clamp(-1, 1)).abs().mean((1, 2, 3)) * 127.5


@METRICS.register_module()
class ExemplarDiversity(TranslationMetric):
    """Mean distance between translations of one content after different exemplars.

    0 means that the exemplar has no effect, as with a method that takes none. It says nothing about
    quality: noise is diverse. Put SSIM or FID beside it. ``diversity_of_exemplars`` is the same
    distance between the exemplars themselves, whose contents differ, too.

    Every content is translated after the same ``num_exemplars`` exemplars, taken at equal steps
    from the test set, and the distances of all pairs of its translations are averaged. The samples
    that the loop translates have one exemplar each, so this metric runs the model itself: it needs
    a translation model and MMagic's loops (``val_cfg = dict(type='MultiValLoop')``, ``test_cfg =
    dict(type='MultiTestLoop')``), which hand the model to their metrics.

    Results, for directions 'A2B' and 'B2A': ``diversity/A2B_mean`` and ``diversity/A2B_std`` over
    the contents, and ``diversity_of_exemplars/A2B_mean`` (its ``_std`` is 0).

    Args:
        num_exemplars (int): Exemplars per content, at least 2. Defaults to 10.
        num_contents (int, optional): Take only the first contents of the test set: the metric
            costs ``num_exemplars`` translations per content and direction. None takes all.
            Defaults to 100.
        distance (dict | nn.Module, optional): Config in ``MODELS``, or module: from two batches of
            images, RGB in [-1, 1] (N, 3, H, W), to distances (N,). Defaults to None, the mean
            absolute difference of their pixels, 0 to 255.
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If there are fewer than two exemplars.
    """

    figures = ('diversity', 'diversity_of_exemplars')

    def __init__(self,
                 num_exemplars: int = 10,
                 num_contents: Optional[int] = 100,
                 distance: Union[dict, nn.Module, None] = None,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        check_integers(self, 2, num_exemplars=num_exemplars)
        if num_contents is not None:
            check_integers(self, 1, num_contents=num_contents)
        self.num_exemplars = num_exemplars
        self.num_contents = num_contents
        self.distance = build_frozen(distance or PixelDifference())
        self.model: Optional[nn.Module] = None

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Take the model and the exemplars, and the number of contents.

        Args:
            module (nn.Module): Model with ``data_preprocessor`` and
                ``translation(image, target_domain, exemplar, source_domain)``.
            dataloader (DataLoader): Loader of the test set.

        Raises:
            ValueError: If the model does not translate, or the test set has fewer samples than
                ``num_exemplars``.
        """
        super().prepare(module, dataloader)
        translation = getattr(module, 'translation', None)
        if translation is None:
            raise UserError(f'{type(self).__name__} needs a model that translates, such as EGSCIT, '
                            f'but {type(module).__name__} has no method translation.')
        # MMagic's CycleGAN takes none.
        self.takes_exemplars = 'exemplar' in inspect.signature(translation).parameters
        if self.size < self.num_exemplars:
            raise UserError(f'{type(self).__name__}: num_exemplars={self.num_exemplars}, but the '
                            f'test set has only {self.size} samples.')
        indices = np.linspace(0, self.size - 1, self.num_exemplars).round().astype(int)
        self.model = module
        batches = [pseudo_collate([dataloader.dataset[int(index)]]) for index in indices]
        self.find_domains(batches[0])
        self.exemplars = [self._images(batch) for batch in batches]
        self.of_exemplars = {
            target: self._mean_distance([exemplars[target] for exemplars in self.exemplars])
            for _, target in self.directions
        }

    @torch.no_grad()
    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Translate the contents of one batch after every exemplar, and compare the translations.

        Raises:
            RuntimeError: If the loop has not handed over the model.
        """
        if self.model is None:
            raise RunError(
                f"{type(self).__name__} has no model to translate with: MMEngine's loops do not "
                "give one. Use MMagic's: val_cfg = dict(type='MultiValLoop') and test_cfg = "
                "dict(type='MultiTestLoop'), with type='Evaluator' in the evaluators.")
        if self.num_contents is not None and (
                len(self.results) >= ceil(self.num_contents / get_world_size())):
            return
        self.results += map_parts(lambda part: self._diversities(self._images(part)), data_batch)

    def _diversities(self, contents: Dict[str, Tensor]) -> List[Dict[str, float]]:
        """Mean distance by direction, for each of the contents (N, 3, H, W)."""
        translated, of_exemplars = self.figures
        diversities = {}
        for source, target in self.directions:
            number = len(contents[source])
            diversities[f'{translated}/{source}2{target}'] = [0.] * number
            if self.takes_exemplars:
                translate = getattr(self.model, 'translation_at_any_size', self.model.translation)
                diversities[f'{translated}/{source}2{target}'] = self._mean_distance([
                    translate(contents[source], target, exemplars[target], source)
                    for exemplars in self.exemplars
                ]).tolist()
            diversities[f'{of_exemplars}/{source}2{target}'] = [
                self.of_exemplars[target].item()] * number
        return [dict(zip(diversities, values)) for values in zip(*diversities.values())]

    @torch.no_grad()
    def _mean_distance(self, batches: List[Tensor]) -> Tensor:
        """Mean over all pairs of some batches (N, 3, H, W), at the size of the first: (N,)."""
        size = batches[0].shape[-2:]
        batches = [batch if batch.shape[-2:] == size else F.interpolate(
            batch, size, mode='bilinear', antialias=True) for batch in batches]
        distance = self.distance.to(batches[0].device)
        return torch.stack([
            distance(first, second) for first, second in combinations(batches, 2)]).mean(0)

    def evaluate(self, size: Optional[int] = None) -> Dict[str, float]:
        """As in the base class, over the first ``num_contents`` contents."""
        size = self.size if size is None else size
        if size is not None and self.num_contents is not None:
            size = min(size, self.num_contents)
        return super().evaluate(size)

    def _images(self, data_batch: dict) -> Dict[str, Tensor]:
        """Images by domain as the model sees them: RGB in [-1, 1], (N, 3, H, W)."""
        inputs = self.model.data_preprocessor(data_batch)['inputs']
        return {domain: inputs[f'img_{domain}'] for pair in self.directions for domain in pair}


@METRICS.register_module()
class LPIPSDiversity(ExemplarDiversity):
    """:class:`ExemplarDiversity` in LPIPS, the field's usual measure; there is no upper bound.

    Results: ``lpips_diversity/A2B_mean`` and so on.

    Args:
        distance (dict | nn.Module, optional): Defaults to None, :class:`LPIPSDistance` with
            torchvision's download; ``dict(type='LPIPSDistance', weights='FILE')`` takes a local
            file.
        **kwargs: Arguments of :class:`ExemplarDiversity`.
    """

    figures = ('lpips_diversity', 'lpips_diversity_of_exemplars')

    def __init__(self, distance: Union[dict, nn.Module, None] = None, **kwargs) -> None:
        super().__init__(distance=distance or dict(type='LPIPSDistance'), **kwargs)
