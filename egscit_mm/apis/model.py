# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Models from a config and a checkpoint, on a device, for all that uses a trained one."""
import os
from typing import Optional, Union

import torch
from mmagic.models.base_models import BaseTranslationModel
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..config import check_config, naming_the_setting, read_config
from ..config.of_checkpoint import note_other_settings
from ..models import ExemplarGuidedModel
from ..utils.errors import RunError, UserError, check_file

NO_CHECKPOINT = 'none'


def read_translation_config(config: Union[str, os.PathLike, Config], use: str) -> Config:
    """Reads a config and refuses one whose model does not translate after exemplars.

    Raises:
        UserError: If the config is wrong, or its model is no :class:`ExemplarGuidedModel`.
    """
    cfg = read_config(config)
    check_config(cfg, 'inference')
    kind = _model_class(cfg) or object
    if not issubclass(kind, ExemplarGuidedModel):
        other = (": MMagic's TranslationInferencer translates without"
                 if issubclass(kind, BaseTranslationModel) else '')
        raise UserError(f'{cfg.filename}: {use} needs a config whose model takes exemplars, '
                        f'such as EGSCIT; this one has {model_name(cfg)!r}{other}')
    return cfg


def _model_class(cfg: Config) -> Optional[type]:
    """The class of a config's model, which names it or, as new-style configs do, holds it."""
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    kind = (cfg.get('model') or {}).get('type')
    return MODELS.get(kind) if isinstance(kind, str) else kind


def model_name(cfg: Config) -> str:
    """Name of the class of a config's model."""
    kind = cfg.model.type
    # With its module where MMEngine has written a new-style config down.
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__


def has_weights(cfg: Config) -> bool:
    """Whether the config's model has anything to train, and so checkpoints."""
    return getattr(_model_class(cfg), 'has_weights', True)


def checkpoint_file(cfg: Config,
                    checkpoint: Union[str, os.PathLike, None]) -> Optional[str]:
    """The checkpoint of a config's model, as its user names it.

    Args:
        cfg (Config): The config.
        checkpoint (str | PathLike | None): The file; for a model without weights of its own,
            such as :class:`NeuralStyle`, ``'none'`` or None.

    Returns:
        str | None: The file; None where there is nothing to load.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If a model without weights is given one, or one that has weights none.
    """
    if not has_weights(cfg):
        if checkpoint not in (None, NO_CHECKPOINT):
            raise UserError(f'{model_name(cfg)} is not trained and loads no checkpoint: give '
                            f'{NO_CHECKPOINT!r} in place of {os.fspath(checkpoint)!r}.')
        return None
    if checkpoint in (None, NO_CHECKPOINT):
        raise UserError(f'{cfg.filename}: {model_name(cfg)} needs a checkpoint of its training, as '
                        'an argument or as load_from in the config: without one its weights would '
                        f'be random. {NO_CHECKPOINT!r} is for models that are not trained.')
    check_file(checkpoint, 'Checkpoint')
    return os.fspath(checkpoint)


def load_model(cfg: Config,
               checkpoint: Union[str, os.PathLike, None],
               device: Union[str, torch.device, None] = None) -> torch.nn.Module:
    """Builds a model of any method for testing, on the device, in eval mode.

    What only its training needs stays out (it may want files): stage 1's checkpoint, VGG weights.
    :func:`checkpoint_file` says which models need no checkpoint.

    Raises:
        ConfigError: If the config has no such model.
        FileNotFoundError: If there is no such checkpoint.
        RuntimeError: If it cannot be read.
        ValueError: If it is one of another model, or the device is not there.
    """
    checkpoint = checkpoint_file(cfg, checkpoint)
    device = checked_device(device)
    parts = getattr(_model_class(cfg), 'training_parts', ('discriminator', ))
    training_only = {key: None for key in parts if key in cfg.model}
    with naming_the_setting(cfg):
        model = MODELS.build({**cfg.model, **training_only})
    if checkpoint is not None:
        try:
            loaded = load_checkpoint(model, checkpoint, map_location='cpu', logger='silent')
        except RunError:  # which names the file
            raise
        except ValueError as error:
            raise UserError(f'{checkpoint}: {error}') from error
        note_other_settings(cfg.model, loaded.get('meta'))
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
