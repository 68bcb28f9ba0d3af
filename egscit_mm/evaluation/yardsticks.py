# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translations that need no model: what a figure of a metric is to be compared with."""
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import torch
from mmagic.registry import METRICS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image
from PIL.Image import Resampling
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..config.conflicts import evaluations
from ..models.base.samples import fake_key
from ..utils.errors import UserError
from .comparison import CEILING
from .functional import match_lab_statistics
from .metrics import ExemplarDiversity
from .results import nested


def copy_exemplar(content: np.ndarray, exemplar: np.ndarray) -> np.ndarray:
    """The exemplar, uint8 (H, W, 3), at the size of the content."""
    height, width = content.shape[:2]
    if exemplar.shape[:2] == (height, width):
        return exemplar
    return np.asarray(Image.fromarray(exemplar).resize((width, height), Resampling.BILINEAR))


# By name, what is made of content and exemplar, RGB, uint8 (H, W, 3).
YARDSTICKS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    'copy the content': lambda content, exemplar: content,
    'copy the exemplar': copy_exemplar,
    'mean and std in Lab': match_lab_statistics,  # Reinhard et al. 2001
}


def measure_yardsticks(cfg: Config) -> dict[str, dict[str, Any]]:
    """Evaluates the yardsticks as the methods of a config are.

    Args:
        cfg (Config): With ``test_dataloader`` and ``test_evaluator``. :class:`ExemplarDiversity`,
            which runs a model, is left out.

    Returns:
        dict: By yardstick, and :data:`CEILING` where the test set has all ground truths, what
        ``tools/test.py --out`` writes of a method: ``{'ssim_exemplar/A2B': {'mean': 0.4, 'std':
        0.1}, ...}``.

    Raises:
        UserError: If the config has no test, or only some ground truths are there.
    """
    if cfg.get('test_evaluator') is None:
        raise UserError(f'{cfg.filename} has no test_evaluator: yardsticks need a task with a test')
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    figures: dict[str, dict[str, Any]] = {}
    for loader, metrics in evaluations(cfg, 'test'):
        used = [metric for metric in metrics
                if not issubclass(METRICS.get(metric['type']), ExemplarDiversity)]
        for name, measured in _measured(Runner.build_dataloader(loader), used).items():
            figures.setdefault(name, {}).update(measured)
    return figures


def _measured(dataloader: DataLoader, used: list[dict]) -> dict[str, dict[str, Any]]:
    """Figures of one test set, by yardstick."""
    metrics: dict[str, list] = {}
    for batch in tqdm(dataloader, 'yardsticks', leave=False):
        outputs = _outputs(batch)
        if not metrics:
            metrics = {name: [METRICS.build(metric) for metric in used] for name in outputs}
            for metric in (metric for some in metrics.values() for metric in some):
                metric.prepare(nn.Identity(), dataloader)
        for name, samples in outputs.items():
            for metric in metrics[name]:
                metric.process(batch, samples)
    return {
        name: nested({figure: value for metric in some
                      for figure, value in metric.evaluate(len(dataloader.dataset)).items()})
        for name, some in metrics.items()
    }


def _outputs(batch: dict) -> dict[str, list[dict]]:
    """By yardstick, samples of a batch as a model gives them: with ``fake_<domain>``."""
    samples = [dict(sample.all_items()) for sample in batch['data_samples']]
    domains = [key.removeprefix('img_') for key in batch['inputs']]
    directions = list(permutations(domains, 2))
    names = list(YARDSTICKS)
    if all(f'gt_{source}2{target}' in sample for source, target in directions
           for sample in samples):
        names.append(CEILING)
    outputs = {name: [dict(sample) for sample in samples] for name in names}
    for source, target in directions:
        key, truth = fake_key(domains, source, target), f'gt_{source}2{target}'
        for index, sample in enumerate(samples):
            content, exemplar = (_rgb(batch['inputs'][f'img_{domain}'][index], sample,
                                      f'img_{domain}') for domain in (source, target))
            for name in names:
                image = (_rgb(sample[truth], sample, truth) if name == CEILING
                         else YARDSTICKS[name](content, exemplar))
                bgr = torch.from_numpy(image[..., ::-1].copy())  # as all translations are
                outputs[name][index][key] = bgr.permute(2, 0, 1).float()
    return outputs


def _rgb(image: Tensor, sample: dict, key: str) -> np.ndarray:
    """RGB, uint8 (H, W, 3), of an image (3, H, W) of a sample."""
    array = image.byte().permute(1, 2, 0).numpy()
    is_rgb = sample.get(f'{key}_channel_order', 'bgr').lower() == 'rgb'
    return np.ascontiguousarray(array if is_rgb else array[..., ::-1])
