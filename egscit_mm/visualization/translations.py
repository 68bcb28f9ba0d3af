# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What a trained model of any method makes of the test images of its config."""
import os
from itertools import permutations
from typing import Dict, List, Optional, Union

import torch
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch import Tensor
from tqdm import tqdm

from ..config_check import naming_the_setting
from ..image_sizes import stacked
from ..models.samples import fake_key
from ..utils.errors import UserError, check_file

Row = Union[Tensor, List[Tensor]]  # (N, 3, H, W), or (3, H, W) each where sizes differ


def load_model(cfg: Config,
               checkpoint: Union[str, os.PathLike],
               device: Union[str, torch.device, None] = None) -> torch.nn.Module:
    """Builds a model of any method for testing, on the device, in eval mode.

    What only its training needs stays out (it may want files): stage 1's checkpoint, VGG weights.

    Args:
        cfg (Config): Its config.
        checkpoint (str | PathLike): Its checkpoint.
        device (str | torch.device | None): Device; a GPU where there is one by default.

    Raises:
        ConfigError: If the config has no such model.
        FileNotFoundError: If there is no such checkpoint.
        RuntimeError: If it cannot be read.
        ValueError: If it is one of another model, or the device is not there.
    """
    check_file(checkpoint, 'Checkpoint')
    device = checked_device(device)
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    training_only = {
        key: None for key in ('discriminator', 'perceptual_loss') if key in cfg.model
    }
    with naming_the_setting(cfg):
        model = MODELS.build({**cfg.model, **training_only})
    try:
        load_checkpoint(model, os.fspath(checkpoint), map_location='cpu', logger='silent')
    except ValueError as error:
        raise UserError(f'{os.fspath(checkpoint)}: {error}') from error
    return model.to(device).eval()


def checked_device(device: Union[str, torch.device, None]) -> torch.device:
    """The device of that name, if there is one.

    Args:
        device (str | torch.device | None): A GPU where there is one if None.

    Raises:
        ValueError: If there is none.
    """
    try:
        found = torch.device(get_device() if device is None else device)
        torch.empty(0, device=found)
    except (AssertionError, RuntimeError, TypeError, NotImplementedError) as error:
        here = ['cpu', *(f'cuda:{index}' for index in range(torch.cuda.device_count()))]
        raise UserError(f'device {device!r} cannot be used here: this machine and this PyTorch '
                        f'({torch.__version__}) have {", ".join(here)}') from error
    if found.type == 'meta':
        raise UserError("device 'meta' has no numbers: give 'cpu' or 'cuda'")
    return found


def first_test_samples(cfg: Config, number: int) -> List[dict]:
    """The first samples of the config's test set, at most so many."""
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
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
