# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether stage 2 can be trained, asked before stage 1 spends hours."""
from typing import Dict

import torch
from mmagic.registry import HOOKS, MODELS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint, _load_checkpoint_to_model
from torch import Tensor, nn

from ..config import ConfigError, naming_the_setting
from ..config.conflicts import schedulers_of
from .monitored import try_validation


def check_stage2(cfg: Config, stage1: Config) -> None:
    """Builds what stage 2 needs, and tries its losses on one sample of each domain.

    On the CPU, without gradients; nothing is written.

    Raises:
        ValueError: If a part cannot be built, weights are missing, domains differ in size, or the
            model cannot take these images. The message names the setting or the files.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmagic')):
        random_state = torch.get_rng_state()
        with naming_the_setting(cfg):
            model = MODELS.build(cfg.model)
            wrappers = build_optim_wrapper(model, cfg.optim_wrapper.to_dict())
            for scheduler in schedulers_of(cfg):
                if not scheduler.get('convert_to_iter_based'):
                    PARAM_SCHEDULERS.build(dict(
                        dict(end=cfg.train_cfg.get('max_iters')), **scheduler,
                        optimizer=next(iter(wrappers.values()))))
            for hook in [*cfg.default_hooks.values(), *(cfg.get('custom_hooks') or [])]:
                if isinstance(hook, dict):
                    hook = hook.to_dict()
                    hook.pop('priority', None)  # MMEngine's own
                    HOOKS.build(hook)
            if cfg.get('load_from') and not cfg.resume:
                _load_checkpoint_to_model(model, _load_checkpoint(cfg.load_from, 'cpu'))
            loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
            sample = loader.dataset[0]
        with naming_the_setting(stage1):
            features = MODELS.build(stage1.model).state_dict()
        if model.generators.feature_networks is not None:
            model.check_feature_networks(features, str(stage1.filename))
        if model.perceptual_loss is not None:
            model.perceptual_loss.init_weights()
        rest = len(loader.dataset) % loader.batch_size
        if rest and not loader.drop_last and 'Infinite' not in type(loader.sampler).__name__:
            _minibatch(model, rest)  # the last batch of an epoch
        _try_losses(cfg, model, sample, loader.batch_size)
        with naming_the_setting(cfg):
            try_validation(cfg, model)
        torch.set_rng_state(random_state)


def _try_losses(cfg: Config, model: nn.Module, sample: dict, batch: int) -> None:
    data = pseudo_collate([sample])
    model.check_batch(data)
    images = model.images_by_domain(model.data_preprocessor(data, True)['inputs'])
    shown = ', '.join(f'{domain} {_size(image)} ({_path(sample, domain)})'
                      for domain, image in images.items())
    size = _minibatch(model, batch)
    for side in ('discriminators', 'generators'):
        counts = cfg.optim_wrapper.get(side, {}).get('accumulative_counts', 1)
        if size % counts:
            raise ConfigError(f'{cfg.filename}: optim_wrapper.{side}.accumulative_counts={counts} '
                              f'does not divide the minibatch of {size}.')
    try:
        with torch.no_grad():
            losses: Dict[str, Tensor] = {
                **model.discriminator_losses(images), **model.generator_losses(images)}
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f'{cfg.filename}: the model cannot train on these images: {shown}: '
                          f'{error}. Give larger ones, or reduce num_downsamples of encoder and '
                          'decoder, or num_convs of the discriminator.') from error
    wrong = [name for name, value in losses.items() if not value.isfinite().all()]
    if wrong:
        raise ConfigError(f'{cfg.filename}: {", ".join(wrong)} of these images are not finite: '
                          f'{shown}. They may be too small for the model.')


def _minibatch(model: nn.Module, batch: int) -> int:
    """How many images of a batch each update gets."""
    parts = model.minibatches({domain: torch.empty(batch, 0) for domain in model.domains})
    return len(next(iter(next(parts).values())))


def _size(image: Tensor) -> str:
    return 'x'.join(map(str, image.shape[-2:]))


def _path(sample: dict, domain: str) -> str:
    return str(sample['data_samples'].get(f'img_{domain}_path', 'a path that is not packed'))
