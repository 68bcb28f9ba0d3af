# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What a trained model of any method makes of the test images of its config."""
from itertools import permutations
from typing import Dict, List, Optional, Union

import torch
from mmagic.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor
from tqdm import tqdm

from ..config.conflicts import evaluations
from ..models.base.samples import fake_key
from ..utils.image_sizes import stacked

Row = Union[Tensor, List[Tensor]]  # (N, 3, H, W), or (3, H, W) each where sizes differ


def first_test_samples(cfg: Config, number: int) -> List[dict]:
    """The first samples of the config's (first) test set, at most so many."""
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    loader = evaluations(cfg, 'test')[0][0]
    dataset = DATASETS.build(loader['dataset'])
    return [dataset[index] for index in range(min(number, len(dataset)))]


def paths_of(samples: List[dict]) -> List[str]:
    """The files that samples were read from, as far as they tell."""
    return [
        path for sample in samples for key, path in sample['data_samples'].all_items()
        if key.endswith('_path')
    ]


def ground_truth(samples: List[dict], direction: str) -> Optional[Row]:
    """Ground truths of a direction such as 'A2B'; None where the test set has none.

    Returns:
        Tensor | list[Tensor] | None: RGB in [-1, 1], (N, 3, H, W); a list of (3, H, W) where they
        differ in size.
    """
    key = f'gt_{direction}'
    if key not in samples[0]['data_samples']:
        return None
    return stacked([
        _rgb(sample['data_samples'].get(key), sample['data_samples'], key) for sample in samples
    ])


@torch.inference_mode()
def translated_rows(model: torch.nn.Module,
                    samples: List[dict],
                    batch_size: int = 50) -> Dict[str, Dict[str, Row]]:
    """Translates samples in every direction, as the evaluation does.

    Args:
        model (nn.Module): With the ``test_step`` of MMagic's CycleGAN: EGSCIT, MUNIT, CycleGAN.
        samples (list[dict]): From :func:`first_test_samples`.
        batch_size (int): So many go through the model at a time. Defaults to 50.

    Returns:
        dict[str, dict[str, Tensor | list[Tensor]]]: By direction ('A2B'), rows by name: content,
        exemplar, translation and, where the test set has it, ground_truth; RGB in [-1, 1], (N, 3,
        H, W), on the CPU; a list of (3, H, W) where they differ in size.
    """
    results = []
    for start in tqdm(range(0, len(samples), batch_size), 'translating', leave=False):
        results += model.test_step(pseudo_collate(samples[start:start + batch_size]))
    grids = {}
    # Those of MMagic's CycleGAN are a list of two.
    domains = getattr(model, 'domains', None) or model._reachable_domains
    for source, target in permutations(domains, 2):
        direction = f'{source}2{target}'
        rows = {
            name: stacked([
                _rgb(sample['inputs'][f'img_{domain}'], sample['data_samples'], f'img_{domain}')
                for sample in samples
            ]) for name, domain in (('content', source), ('exemplar', target))
        }
        # Translations are BGR, whatever the inputs are.
        fake = fake_key(domains, source, target)
        rows['translation'] = stacked([
            result.get(fake).cpu().clamp(0, 255).flip(0) / 127.5 - 1
            for result in results
        ])
        truth = ground_truth(samples, direction)
        grids[direction] = rows if truth is None else dict(rows, ground_truth=truth)
    return grids


def _rgb(image: Tensor, sample, key: str) -> Tensor:
    is_rgb = sample.get(f'{key}_channel_order', 'bgr').lower() == 'rgb'
    return (image if is_rgb else image.flip(0)) / 127.5 - 1
