# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Settings of a config that are right alone and wrong together.

Most of them would train and never end, never save or never change the rate, without a word.
"""
import importlib.util
import math
from typing import Any, Iterator, List, Tuple

from mmengine import registry as registries
from mmengine.config import Config

# What visualiser backends import when the first figure is written.
_PACKAGES = dict(
    AimVisBackend=('aim', ), ClearMLVisBackend=('clearml', ), DVCLiveVisBackend=('dvclive', ),
    MLflowVisBackend=('mlflow', ), NeptuneVisBackend=('neptune', ), WandbVisBackend=('wandb', ),
    TensorboardVisBackend=('tensorboard', 'tensorboardX'))


def conflicts(cfg: Config, purpose: str) -> Iterator[str]:
    """A sentence for each pair of settings that do not go together."""
    loaders = dict(train=('train', 'val'), test=('test', )).get(purpose, ())
    for name in loaders:
        several = isinstance(cfg.get(f'{name}_dataloader'), (list, tuple))
        for number, loader in enumerate(_loaders(cfg, name)):
            path = f'{name}_dataloader.{number}' if several else f'{name}_dataloader'
            yield from _of_loader(cfg, name, path, loader)
        yield from _of_loop(cfg, name)
    if purpose != 'inference' and cfg.get('data_preprocessor') and cfg.model.get(
            'data_preprocessor'):
        yield ('data_preprocessor changes nothing beside model.data_preprocessor: set that, or '
               'remove one of them.')
    visualizer = {} if purpose == 'inference' else cfg.get('visualizer') or {}
    for index, backend in enumerate(visualizer.get('vis_backends') or ()):
        kind = str(backend.get('type'))
        packages = _PACKAGES.get(kind.rpartition('.')[2], ())
        if packages and not any(map(importlib.util.find_spec, packages)):
            yield (f'visualizer.vis_backends.{index} is {kind!r}, whose package is not installed: '
                   f'pip install {packages[0]}, or remove it.')
    if purpose == 'train' and isinstance(cfg.get('train_cfg'), dict):
        for name, end in cfg.train_cfg.items():
            if name in ('max_iters', 'max_epochs') and end < 1:
                yield f'train_cfg.{name}={end} would train nothing: it must be at least 1.'
        yield from _of_schedulers(cfg)
        checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint')
        if isinstance(checkpoint, dict):
            yield from _of_checkpoints(cfg, checkpoint)


def _of_loader(cfg: Config, name: str, path: str, loader: dict) -> Iterator[str]:
    sampler = loader.get('sampler')
    if sampler is None:
        yield f'{path}.sampler is missing: it has no default; take one such as DefaultSampler.'
    sampler = str(sampler.get('type', '') if isinstance(sampler, dict) else '')
    if 'Infinite' in sampler and (name != 'train' or _counts_epochs(cfg)):
        loop = 'train_cfg.type=ResumableTrainLoop with max_iters, or ' * (name == 'train')
        yield (f'{path}.sampler.type={sampler!r} never ends, and {name}_cfg waits for its end: use '
               f'{loop}{path}.sampler.type=DefaultSampler.')
    for place, dataset in _datasets(f'{path}.dataset', loader.get('dataset')):
        if name == 'train' and dataset.get('test_mode'):
            yield f'{place}.test_mode must be False: the training would see the test images.'
        if name != 'train' and _has_two_phases(dataset) and not dataset.get('test_mode'):
            yield f'{place}.test_mode must be True: the figures would be of the training images.'
    if name != 'train' and loader.get('drop_last'):
        yield f'{path}.drop_last must be False: the figures would leave the last images out.'


def _datasets(path: str, dataset: Any) -> Iterator[Tuple[str, dict]]:
    """A dataset and those inside of it, such as RepeatDataset's, with their places."""
    if isinstance(dataset, dict):
        yield path, dataset
        yield from _datasets(f'{path}.dataset', dataset.get('dataset'))
        for index, one in enumerate(dataset.get('datasets') or ()):
            yield from _datasets(f'{path}.datasets.{index}', one)


def _has_two_phases(dataset: dict) -> bool:
    """Whether ``test_mode`` chooses between training and test images, as in these."""
    bases = getattr(named('DATASETS', dataset), '__mro__', ())
    return any(base.__name__ in ('ExemplarImageDataset', 'UnpairedImageDataset') for base in bases)


def _of_loop(cfg: Config, name: str) -> Iterator[str]:
    loop, evaluator = cfg.get(f'{name}_cfg'), cfg.get(f'{name}_evaluator')
    if name == 'train' or cfg.get('default_scope') != 'mmagic' or not isinstance(loop, dict):
        return
    numbers = len(_loaders(cfg, name)), len(_evaluators(cfg, name))
    if numbers[0] != numbers[1]:
        yield (f'{name}_evaluator has {numbers[1]} evaluators for the {numbers[0]} dataloaders of '
               f'{name}_dataloader: give one for each.')
    kind, wanted = loop.get('type', f'{name.title()}Loop'), f'Multi{name.title()}Loop'
    if kind == f'{name.title()}Loop' and isinstance(evaluator, dict) and 'metrics' in evaluator:
        yield (f"{name}_cfg.type={kind!r} does not go with {name}_evaluator, which is MMagic's "
               f'Evaluator: set {name}_cfg.type={wanted!r}.')


def named(registry: str, settings: dict) -> type:
    """The class that a ``type`` names."""
    with getattr(registries, registry).switch_scope_and_registry(settings.get('_scope_')) as scoped:
        kind = settings.get('type')
        return scoped.get(kind) if isinstance(kind, str) else kind


def metrics_of(evaluator: Any) -> list:
    """Configs of the metrics of an evaluator, or of several, whichever way they are written."""
    if isinstance(evaluator, dict) and 'metrics' in evaluator:
        evaluator = evaluator['metrics']
    if isinstance(evaluator, (list, tuple)):
        return [metric for one in evaluator for metric in metrics_of(one)]
    return [] if evaluator is None else [evaluator]


def evaluations(cfg: Config, name: str) -> List[Tuple[dict, list]]:
    """Dataloaders of the ``'val'`` or ``'test'``, each with the configs of its metrics.

    MMagic's loops take several dataloaders, with an evaluator for each.
    """
    return [(loader, metrics_of(evaluator)) for loader, evaluator in zip(
        _loaders(cfg, name), _evaluators(cfg, name))]


def _loaders(cfg: Config, name: str) -> list:
    loader = cfg.get(f'{name}_dataloader')
    if isinstance(loader, (list, tuple)):
        return list(loader)
    return [loader] if loader else []


def _evaluators(cfg: Config, name: str) -> list:
    evaluator = cfg.get(f'{name}_evaluator')
    # A list without evaluators in it is one of metrics.
    several = isinstance(evaluator, (list, tuple)) and any(
        isinstance(one, (list, tuple)) or isinstance(one, dict) and 'metrics' in one
        for one in evaluator)
    return list(evaluator) if several else [evaluator]


def schedulers_of(cfg: Config) -> List[dict]:
    """Configs of all schedulers, whether they stand alone, in a list or by side."""
    schedulers = cfg.get('param_scheduler') or []
    if isinstance(schedulers, dict):
        schedulers = [schedulers] if 'type' in schedulers else [
            entry for several in schedulers.values()
            for entry in (several if isinstance(several, (list, tuple)) else [several])]
    return schedulers


def _of_schedulers(cfg: Config) -> Iterator[str]:
    for scheduler in schedulers_of(cfg) if not _counts_epochs(cfg) else ():
        kind = str(scheduler.get('type'))
        begin, length = scheduler.get('begin', 0), cfg.train_cfg.get('max_iters', math.inf)
        if begin >= length > 0:
            yield (f'param_scheduler.begin={begin} in {kind} lies beyond the end, '
                   f'train_cfg.max_iters={length}: it would never take a step.')
        # The former steps at validations.
        if 'ReduceOnPlateau' not in kind and not scheduler.get('convert_to_iter_based') and (
                scheduler.get('by_epoch', True) is True):
            yield (f'param_scheduler of type {scheduler.get("type")!r} must have by_epoch=False: '
                   'train_cfg counts iterations, and it would never take a step.')


def _of_checkpoints(cfg: Config, hook: dict) -> Iterator[str]:
    path = 'default_hooks.checkpoint'
    if not _counts_epochs(cfg) and hook.get('by_epoch', True) is True:
        yield (f'{path}.by_epoch must be False: train_cfg counts iterations, and nothing would be '
               'saved before its end.')
    length = cfg.train_cfg.get('max_epochs' if _counts_epochs(cfg) else 'max_iters')
    interval, begin = hook.get('interval', -1), hook.get('save_begin', 0)
    if length and not hook.get('save_last', True) and (
            interval <= 0 or begin + (interval if begin == 0 else 0) > length):
        yield (f'{path} would never save: with save_last=False, interval={interval} and '
               f'save_begin={begin} its first checkpoint lies beyond the end, {length}.')


def _counts_epochs(cfg: Config) -> bool:
    """Whether the training loop ends with the epochs of its dataloader."""
    loop = cfg.get('train_cfg') or {}
    kind = loop.get('type') or ('EpochBasedTrainLoop' if loop.get('by_epoch') else '')
    return 'EpochBased' in str(kind)
