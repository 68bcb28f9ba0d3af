# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Models from a config and a checkpoint, on a device, for all that uses a trained one."""
import os
from typing import Union

import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..config import check_config, naming_the_setting, read_config
from ..models import ExemplarTranslationModel
from ..utils.errors import UserError, check_file


def read_translation_config(config: Union[str, os.PathLike, Config], use: str) -> Config:
    """Reads a config and refuses one whose model does not translate after exemplars.

    Raises:
        UserError: If the config is wrong, or its model is no :class:`ExemplarTranslationModel`.
    """
    cfg = read_config(config)
    check_config(cfg, 'inference')
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    if not issubclass(MODELS.get(cfg.model.type) or object, ExemplarTranslationModel):
        raise UserError(f'{cfg.filename}: {use} needs a config with an EGSCIT model or another '
                        f'one that takes exemplars, this one has {cfg.model.type!r}')
    return cfg


def load_model(cfg: Config,
               checkpoint: Union[str, os.PathLike],
               device: Union[str, torch.device, None] = None) -> torch.nn.Module:
    """Builds a model of any method for testing, on the device, in eval mode.

    What only its training needs stays out (it may want files): stage 1's checkpoint, VGG weights.

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
