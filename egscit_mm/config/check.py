# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Names and types of a config's settings, compared with the constructors that it names.

MMEngine hands the dictionaries of a config to constructors one by one, some of them hours after the
start, and their errors do not say which setting they are about. So the signatures are asked first.
What they cannot tell is left to the constructors: their errors get the place in the config from
:func:`egscit_mm.config.naming_the_setting`.
"""
import inspect
import math
import numbers
import re
from multiprocessing import get_all_start_methods
from typing import Any, Callable, Collection, Dict, Iterator, NamedTuple, Optional, Union

from mmengine import registry as registries
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader

from .arguments import OWN_PACKAGE, arguments_of, fits, package_of, text_of
from .conflicts import conflicts
from .names import TOP_LEVEL, ConfigError, closest

# What MMEngine's Runner takes all of, or none.
_TOGETHER = {loop: (f'{loop}_dataloader', f'{loop}_cfg', part) for loop, part in dict(
    train='optim_wrapper', val='val_evaluator', test='test_evaluator').items()}
_COMMON = ('default_hooks', 'custom_hooks', 'log_processor', 'visualizer', 'randomness', 'env_cfg',
           'log_level', 'load_from', 'work_dir')
# The parts that a purpose looks at, and what it is called in an error.
_PARTS = dict(
    train=('model', *_TOGETHER['train'], *_TOGETHER['val'], 'param_scheduler', *_COMMON),
    test=('model', *_TOGETHER['test'], *_COMMON),
    inference=('model', ))
_ACTIVITY = dict(train='training', test='test', inference='translation')
_LEVELS = ('CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'NOTSET')
_SIDES = 'AlternatingOptimWrapperConstructor'


class _Place(NamedTuple):
    """A place in a config where MMEngine builds or calls something.

    Args:
        registry (str): Name of the registry in ``mmengine.registry``.
        added (Collection[str]): Arguments that MMEngine adds to those of the config.
        default (str | Callable | None): What is built where the config names no type; None if it
            has to.
        others (Collection[str]): Keys that are no arguments.
    """

    registry: str
    added: Collection[str] = ()
    default: Union[str, Callable, None] = None
    others: Collection[str] = ()


# By dotted path without the numbers of lists.
_PLACES = {
    r'model|data_preprocessor': _Place('MODELS'),
    r'\w+_dataloader(\.dataset)+': _Place('DATASETS'),
    r'\w+_dataloader(\.dataset)+\.pipeline': _Place('TRANSFORMS'),
    r'\w+_dataloader\.sampler': _Place('DATA_SAMPLERS', ('dataset', )),
    r'\w+_dataloader\.batch_sampler': _Place('DATA_SAMPLERS', ('sampler', 'batch_size')),
    r'\w+_dataloader\.(collate_fn|worker_init_fn)': _Place('FUNCTIONS'),
    r'train_cfg': _Place('LOOPS', ('runner', 'dataloader'), None, ('by_epoch', )),
    r'val_cfg': _Place('LOOPS', ('runner', 'dataloader', 'evaluator'), 'ValLoop'),
    r'test_cfg': _Place('LOOPS', ('runner', 'dataloader', 'evaluator'), 'TestLoop'),
    r'optim_wrapper(\.\w+)?\.optimizer': _Place('OPTIMIZERS', ('params', )),
    r'optim_wrapper(\.(?!constructor|clip_grad|paramwise_cfg)\w+)?': _Place(
        'OPTIM_WRAPPERS', (), 'OptimWrapper', ('constructor', 'paramwise_cfg')),
    r'param_scheduler(\.\w+)?': _Place('PARAM_SCHEDULERS', ('optimizer', 'end')),
    r'default_hooks\.\w+|custom_hooks': _Place('HOOKS', (), None, ('priority', )),
    r'(val|test)_evaluator(\.metrics)?': _Place('METRICS'),
    r'visualizer': _Place('VISUALIZERS', ('name', ), 'Visualizer'),
    r'visualizer\.vis_backends': _Place('VISBACKENDS', ('save_dir', )),
    r'log_processor': _Place('LOG_PROCESSORS', (), 'LogProcessor'),
    # Keywords of a function.
    r'\w+_dataloader': _Place('FUNCTIONS', (), DataLoader, (
        'num_batch_per_epoch', 'disable_subprocess_warning')),
    r'randomness': _Place('FUNCTIONS', ('self', ), Runner.set_randomness),
    r'env_cfg\.mp_cfg': _Place('FUNCTIONS', (), set_multi_processing),
}
# Dictionaries that are arguments of this package's classes, built where they have a type.
_OWN_ARGUMENT, _INIT_CFG = _Place('MODELS', ('model', )), _Place('WEIGHT_INITIALIZERS')
# Values that MMEngine, MMagic and PyTorch take in silence, or refuse only after stage 1.
_RANGES = {
    r'\w+_dataloader\.batch_size|model\.ema_config\.interval|log_processor\.window_size|'
    r'train_cfg\.(max_iters|max_epochs|val_interval)': (1, math.inf),
    r'\w+_dataloader\.num_workers': (0, math.inf),
    r'\w+_dataloader(\.dataset)+\.pipeline\.flip_ratio': (0, 1),
    r'randomness\.seed': (0, 2**32 - 1),
}


def check_config(cfg: Config, purpose: str) -> None:
    """Refuses a config that cannot work.

    Args:
        cfg (Config): The config, with all overrides.
        purpose (str): What is to be done with it: ``'train'``, ``'test'`` or ``'inference'``. Only
            what this needs is looked at.

    Raises:
        ConfigError: With a sentence for each setting that is missing, unknown, of a wrong type or
            out of range, or that does not go together with another.
    """
    problems = list(_top_level_problems(cfg, purpose))
    scope = cfg.get('default_scope') or ('mmagic' if purpose == 'inference' else 'mmengine')
    with DefaultScope.overwrite_default_scope(scope):
        for key in _PARTS[purpose]:
            if cfg.get(key) is not None:
                problems += _problems(key, cfg[key])
    problems = problems or list(conflicts(cfg, purpose))
    # One sentence for each setting: the first is the more general one.
    problems = [*{problem.split()[0]: problem for problem in reversed(problems)}.values()][::-1]
    name = cfg.filename or 'The config'
    if len(problems) == 1:
        raise ConfigError(f'{name}: {problems[0]}')
    if problems:
        raise ConfigError('\n  '.join([f'{name} has {len(problems)} wrong settings:', *problems]))


def _top_level_problems(cfg: Config, purpose: str) -> Iterator[str]:
    """Parts that are missing or have another name."""
    misspelled = {
        wanted: key for key in cfg
        if key not in TOP_LEVEL and (wanted := closest(key, TOP_LEVEL, 0.88))
        and not cfg.get(wanted)  # else the key is a variable of the config's author
    }
    for wanted, key in misspelled.items():
        yield f'{key} is no setting: did you mean {wanted}?'
    groups = [('model', )]
    if purpose != 'inference':
        groups += [group for name, group in _TOGETHER.items()
                   if name == purpose or any(cfg.get(key) is not None for key in group)]
    for group in groups:
        for key in group:
            if cfg.get(key) is None and key not in misspelled:
                together = f' ({", ".join(group)} go together)' if len(group) > 1 else ''
                yield (f'{key} is missing, without which there is no {_ACTIVITY[purpose]}'
                       f'{together}: set it, or start from a config of configs/egscit/.')


def _problems(path: str, value: Any, own: bool = False,
              scope: Optional[str] = None) -> Iterator[str]:
    """What is wrong with a value and all inside it.

    Args:
        path (str): Its dotted place in the config.
        value: The value.
        own (bool): Whether it is an argument of one of this package's classes.
        scope (str | None): MMEngine's scope, in which types are looked up; the default one if None.
    """
    if isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            yield from _problems(f'{path}.{index}', entry, own, scope)
        return
    pattern = re.sub(r'\.\d+(?=\.|$)', '', path)
    place = _match(_PLACES, pattern)
    if not isinstance(value, dict):
        least, most = _match(_RANGES, pattern) or (None, None)
        if least is not None and value is not None and not (
                isinstance(value, numbers.Real) and least <= value <= most):
            limit = '' if most == math.inf else f' and at most {most}'
            yield f'{path} must be a number of at least {least}{limit}, got {value!r}.'
        elif path == 'randomness.seed' and value is not None and value != int(value):
            yield f'{path} must be an integer, got {value!r}.'
        elif path == 'log_level' and isinstance(value, str) and value not in _LEVELS:
            yield f'{path} must be one of {", ".join(_LEVELS)}, got {value!r}.'
        elif path in ('load_from', 'work_dir') and not isinstance(value, str):
            yield f'{path} must be a path, got {value!r}.'
        elif path == 'env_cfg.mp_cfg.mp_start_method' and value not in get_all_start_methods():
            yield f'{path} must be one of {", ".join(get_all_start_methods())}, got {value!r}.'
        # Below these two a name may be that of something built, or of one of its arguments.
        elif isinstance(value, (str, numbers.Number)) and not re.match(
                r'(optim_wrapper|param_scheduler)\.', pattern) and (
                place or pattern in ('default_hooks', 'env_cfg')):
            yield f'{path} must be a dict of settings, got {value!r}.'
        return
    scope = value.get('_scope_') or scope
    own_arguments = ()
    if place is None and own:
        place = _INIT_CFG if pattern.endswith('.init_cfg') else _OWN_ARGUMENT
    if pattern == 'optim_wrapper' and 'optimizer' not in value:
        kind, registry = value.get('constructor'), 'OPTIM_WRAPPER_CONSTRUCTORS'
        if kind is None:
            yield f'{path}.constructor is missing: such as {_SIDES!r}, for one optimizer a side.'
        elif _find(kind, registry, scope) is None:
            yield _unknown_type(f'{path}.constructor', kind, registry, scope)
        if kind != _SIDES:
            return  # another constructor takes what it likes
    if place is not None and not _is_group(pattern, value):
        kind = value.get('type', place.default)
        if kind is None and 'by_epoch' in value:  # MMEngine's short form of a train_cfg
            kind = 'EpochBasedTrainLoop' if value['by_epoch'] else 'IterBasedTrainLoop'
        constructor = _find(kind, place.registry, scope)
        if kind is not None and constructor is None:
            yield _unknown_type(f'{path}.type', kind, place.registry, scope)
        elif kind is not None:
            if package_of(constructor) == OWN_PACKAGE:
                own_arguments = arguments_of(constructor)[0]
            yield from _argument_problems(path, value, constructor, place)
        elif place not in (_OWN_ARGUMENT, _INIT_CFG):
            yield f"{path} has no type: it must say what to build, as in dict(type='...', ...)."
    for key, entry in value.items():
        yield from _problems(f'{path}.{key}', entry, key in own_arguments, scope)


def _match(table: Dict[str, Any], path: str) -> Any:
    return next((entry for pattern, entry in table.items() if re.fullmatch(pattern, path)), None)


def _is_group(pattern: str, value: dict) -> bool:
    """Whether a dictionary only gathers others, under names that its author chooses."""
    if pattern == 'optim_wrapper':
        return 'constructor' in value
    if pattern == 'param_scheduler':
        return 'type' not in value and all(isinstance(v, (dict, list)) for v in value.values())
    return pattern.endswith('_evaluator') and 'metrics' in value


def _find(kind: Any, registry: str, scope: Optional[str]) -> Optional[Callable]:
    """What a ``type`` names; None if nothing."""
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    if registry == 'FUNCTIONS':  # no package has its own registry of them
        return registries.FUNCTIONS.get(kind)
    with getattr(registries, registry).switch_scope_and_registry(scope) as scoped:
        return scoped.get(kind)


def _unknown_type(path: str, kind: Any, registry: str, scope: Optional[str]) -> str:
    known = {*getattr(registries, registry).module_dict}
    if registry != 'FUNCTIONS':
        with getattr(registries, registry).switch_scope_and_registry(scope) as scoped:
            known |= scoped.module_dict.keys()
    close = closest(str(kind).rpartition('.')[2], known)
    remedy = f'did you mean {close!r}?' if close else (
        'correct the name, or import the module that registers it by custom_imports.')
    return f'{path} is {kind!r}, which is not in the registry {registry}: {remedy}'


def _argument_problems(path: str, settings: dict, constructor: Callable,
                       place: _Place) -> Iterator[str]:
    """Arguments that are unknown, missing or of another type; a misspelled one is both at once."""
    arguments, takes_others = arguments_of(constructor)
    given = {key: value for key, value in settings.items()
             if key not in ('type', '_scope_', *place.others)}
    known, found = given if takes_others else arguments, set()
    for key in given:
        if key not in known:
            close = closest(key, known, 0.6)
            found.add(close)
            remedy = f'did you mean {close}?' if close else f'known are {", ".join(sorted(known))}.'
            yield f'{path}.{key} is no setting: {remedy}'
    takes_more = place == _Place('FUNCTIONS')  # when it is called, for each batch or worker
    for key, (default, hint) in arguments.items():
        if key not in given:
            if default is inspect.Parameter.empty and not takes_more and key not in (
                    *place.added, *found):
                yield f'{path}.{key} is missing: it has no default.'
        elif not fits(given[key], hint) and given[key] is not default:
            name = getattr(constructor, '__name__', constructor)
            yield f'{path}.{key} of {name} should be {text_of(hint)}, got {given[key]!r}.'
