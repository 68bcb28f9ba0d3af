# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What evaluations after the start of a training need: figures and files that are there.

A hook that names a figure which there is not fails (or never acts) at the first validation, hours
after the start; a metric whose file of weights is missing fails at the first validation or test.
"""
import difflib
import os
from collections.abc import Iterator
from typing import Any, Optional

import torch
from mmagic.registry import METRICS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.runner import Runner
from torch import nn

from ..config import ConfigError
from ..config.conflicts import evaluations, metrics_of
from ..evaluation.metrics import TranslationMetric
from ..utils.wrappers import unwrapped

# How metrics and their networks call settings that name a file.
_FILES = ('pretrained', 'weights', 'checkpoint')


def figure_names(cfg: Config) -> Optional[list[str]]:
    """Names of all figures of the validation, in order; None where they cannot be known."""
    names = []
    for metric in metrics_of(cfg.get('val_evaluator')):
        kind = METRICS.get(metric.get('type')) if isinstance(metric, dict) else None
        if not isinstance(kind, type) or not issubclass(kind, TranslationMetric):
            return None
        arguments = {key: value for key, value in metric.items() if key != 'type'}
        domains = arguments.get('domains') or cfg.model.get('domains') or ('A', 'B')
        prefix = arguments.get('prefix')
        found = kind.figure_names(list(domains), arguments)
        if found is None:
            return None
        names += [f'{prefix}/{name}' if prefix else name for name in found]
    return names


def check_monitored(cfg: Config) -> None:
    """Refuses a config whose hooks name figures, or whose metrics files, that there are not.

    Raises:
        ConfigError: Naming the setting and the figures there are, or the file.
    """
    problems = [*monitored_problems(cfg), *missing_files(cfg)]
    if problems:
        raise ConfigError(f'{cfg.filename or "The config"}: {" ".join(problems)}')


def try_validation(cfg: Config, model: nn.Module) -> None:
    """Builds the metrics of the validation, and gives the package's own its first sample.

    The random numbers of the training stay as they are.

    Raises:
        ValueError: If the sample cannot be read or lacks what a metric needs, such as ground
            truths, or the test set is too small.
    """
    with torch.random.fork_rng(devices=[]):
        for loader, metrics in evaluations(cfg, 'val'):
            loader = Runner.build_dataloader(loader, seed=0)
            built = [METRICS.build(metric) for metric in metrics]
            own = [metric for metric in built if isinstance(metric, TranslationMetric)]
            if not own:
                continue
            data = pseudo_collate([loader.dataset[0]])
            samples = [sample.to_dict() for sample in model.eval().val_step(data)]
            for metric in own:
                if 'Multi' in str(cfg.val_cfg.get('type')):  # MMagic's, before the first sample
                    metric.prepare(unwrapped(model), loader)
                metric.process(data, samples)
            model.train()


class ValidationTrialHook(Hook):
    """Tries the validation before the first iteration: its faults would show at the first one.

    A hook, because some models can translate only once the Runner has initialised them.

    Args:
        cfg (Config): Of the training.
    """

    def __init__(self, cfg: Config):
        self.cfg = cfg

    def before_train(self, runner: Runner) -> None:
        """Tries it; see :func:`try_validation`."""
        try_validation(self.cfg, runner.model)


def missing_files(cfg: Config) -> Iterator[str]:
    """Which files the metrics of validation and test name that are not there.

    Yields:
        str: A sentence for each, which names its setting first.
    """
    for evaluator in ('val_evaluator', 'test_evaluator'):
        for setting, path in _files(evaluator, cfg.get(evaluator)):
            if not os.path.isfile(path):
                yield (f'{setting}={path!r} does not exist: the evaluation would miss it after the '
                       'training. Put the file there, or say where it is by --cfg-options '
                       f'{setting}=FILE.')


def _files(place: str, inside: Any) -> Iterator[tuple[str, str]]:
    """Settings that name files, with these."""
    entries = inside.items() if isinstance(inside, dict) else (
        enumerate(inside) if isinstance(inside, (list, tuple)) else ())
    for key, value in entries:
        if key in _FILES and isinstance(value, (str, os.PathLike)):
            if value != 'torchvision' and '://' not in str(value):  # else it is downloaded
                yield f'{place}.{key}', str(value)
        else:
            yield from _files(f'{place}.{key}', value)


def monitored_problems(cfg: Config) -> Iterator[str]:
    """What is wrong with the figures that hooks of a training name.

    Yields:
        str: A sentence for each wrong setting, which it names first.
    """
    names = None
    for place, hook in _hooks(cfg):
        kind = hook.get('type', 'CheckpointHook' if 'checkpoint' in place else None)
        kind = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
        kind = kind.rpartition('.')[2]
        setting = dict(CheckpointHook='save_best', EarlyStoppingHook='monitor').get(kind)
        wanted = hook.get(setting) if setting else None
        if not wanted or not isinstance(wanted, (str, list, tuple)):
            continue
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        names = figure_names(cfg) if names is None else names
        if names == []:
            yield (f'{place}.{setting} is {wanted[0]!r}, but there is no validation: set val_cfg, '
                   f'val_dataloader and val_evaluator, or leave {setting} out.')
            continue
        for name in wanted:
            if names is not None and name != 'auto' and name not in names:
                close = difflib.get_close_matches(str(name), names, 3, 0.3)
                yield (f'{place}.{setting} is {name!r}, which the validation does not give: did '
                       f'you mean {", ".join(close) or names[0]}? It gives {_listed(names)}.')
                break
        else:
            yield from _rule_problems(place, setting, kind, hook, wanted, names)


def _listed(names: list[str]) -> str:
    short = [name for name in names if not name.endswith('_std')]
    more = ' (and ..._std for ..._mean)' if len(short) < len(names) else ''
    return ', '.join(short) + more


def _hooks(cfg: Config) -> Iterator[tuple[str, dict]]:
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if isinstance(hook, dict):
            yield f'default_hooks.{name}', hook
    for index, hook in enumerate(cfg.get('custom_hooks') or []):
        if isinstance(hook, dict):
            yield f'custom_hooks.{index}', hook


def _rule_problems(place: str, setting: str, kind: str, hook: dict, wanted: list,
                   names: Optional[list[str]]) -> Iterator[str]:
    """Whether MMEngine can tell which of two values is the better one."""
    if wanted == ['auto'] and names:  # the first figure, which it finds out at the validation
        wanted = names[:1]
    rule = hook.get('rule')
    try:
        if kind == 'CheckpointHook':
            value = list(rule) if isinstance(rule, (list, tuple)) else rule
            CheckpointHook(save_best=[*map(str, wanted)], rule=value)
        else:
            EarlyStoppingHook(monitor=str(wanted[0]), rule=rule)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        text = str(error.args[0] if error.args else error).rstrip('.')
        yield (f"{place}.rule is {rule!r}: {text}. Set it to 'greater' where more is better (SSIM, "
               f"accuracies, mIoU) or 'less' (FID, KID), for each of {setting} = {wanted}.")
