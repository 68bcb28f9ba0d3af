# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""How much translations of one content differ with the exemplar."""
import inspect
from itertools import combinations
from math import ceil
from typing import Dict, List, Optional, Sequence, Union

import numpy as np
import torch
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


@METRICS.register_module()
class LPIPSDiversity(TranslationMetric):
    """Mean LPIPS distance between translations of one content after different exemplars.

    0 means that the exemplar has no effect; there is no upper bound. It says nothing about quality:
    noise is diverse. Put SSIM or FID beside it.

    Every content is translated after the same ``num_exemplars`` exemplars, taken at equal steps
    from the test set, and the distances of all pairs of its translations are averaged. The samples
    that the loop translates have one exemplar each, so this metric runs the model itself: it needs
    a model that translates after exemplars, such as EGSCIT, and MMagic's loops
    (``val_cfg = dict(type='MultiValLoop')``, ``test_cfg = dict(type='MultiTestLoop')``), which hand
    the model to their metrics.

    Results, for directions 'A2B' and 'B2A': ``lpips_diversity/A2B_mean`` and
    ``lpips_diversity/A2B_std`` over the contents.

    Args:
        num_exemplars (int): Exemplars per content, at least 2. Defaults to 10.
        num_contents (int, optional): Take only the first contents of the test set: the metric
            costs ``num_exemplars`` translations per content and direction. None takes all.
            Defaults to 100.
        distance (dict | nn.Module, optional): Config in ``MODELS``, or module: from two batches of
            images, RGB in [-1, 1] (N, 3, H, W), to distances (N,). Defaults to None,
            :class:`LPIPSDistance` with torchvision's download;
            ``dict(type='LPIPSDistance', weights='FILE')`` takes a local file.
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If there are fewer than two exemplars.
    """

    figures = ('lpips_diversity', )

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
        self.distance = build_frozen(distance or dict(type='LPIPSDistance'))
        self.model: Optional[nn.Module] = None

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Take the model and the exemplars, and the number of contents.

        Args:
            module (nn.Module): Model with ``data_preprocessor`` and
                ``translation(image, target_domain, exemplar, source_domain)``.
            dataloader (DataLoader): Loader of the test set.

        Raises:
            TypeError: If the model does not translate after exemplars.
            ValueError: If the test set has fewer samples than ``num_exemplars``.
        """
        super().prepare(module, dataloader)
        translation = getattr(module, 'translation', None)
        if translation is None or 'exemplar' not in inspect.signature(translation).parameters:
            raise TypeError(
                f'LPIPSDiversity needs a model that translates after exemplars, such as EGSCIT, '
                f'but {type(module).__name__} has no translation(..., exemplar=...).')
        if self.size < self.num_exemplars:
            raise UserError(f'LPIPSDiversity: num_exemplars={self.num_exemplars}, but the test '
                            f'set has only {self.size} samples.')
        indices = np.linspace(0, self.size - 1, self.num_exemplars).round().astype(int)
        self.model = module
        batches = [pseudo_collate([dataloader.dataset[int(index)]]) for index in indices]
        self.find_domains(batches[0])
        self.exemplars = [self._images(batch) for batch in batches]

    @torch.no_grad()
    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Translate the contents of one batch after every exemplar, and compare the translations.

        Raises:
            RuntimeError: If the loop has not handed over the model.
        """
        if self.model is None:
            raise RunError(
                'LPIPSDiversity has no model to translate with: MMEngine\'s loops do not give one '
                "to metrics. Use MMagic's: val_cfg = dict(type='MultiValLoop') and test_cfg = "
                "dict(type='MultiTestLoop'), with type='Evaluator' in the evaluators.")
        if self.num_contents is not None and (
                len(self.results) >= ceil(self.num_contents / get_world_size())):
            return
        self.results += map_parts(lambda part: self._diversities(self._images(part)), data_batch)

    def _diversities(self, contents: Dict[str, Tensor]) -> List[Dict[str, float]]:
        """Mean distance by direction, for each of the contents (N, 3, H, W)."""
        diversities = {}
        for source, target in self.directions:
            translate = getattr(self.model, 'translation_at_any_size', self.model.translation)
            translations = [
                translate(contents[source], target, exemplars[target], source)
                for exemplars in self.exemplars
            ]
            distance = self.distance.to(translations[0].device)
            distances = torch.stack([
                distance(first, second) for first, second in combinations(translations, 2)
            ])
            diversities[f'lpips_diversity/{source}2{target}'] = distances.mean(0).tolist()
        return [dict(zip(diversities, values)) for values in zip(*diversities.values())]

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
