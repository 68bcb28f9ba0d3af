# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Names and types of a config's settings, compared with the constructors that it names.

MMEngine hands the dictionaries of a config to constructors one by one, some of them hours after the
start, and their errors do not say which setting they are about. So the signatures are asked first.
What they cannot tell is left to the constructors: their errors get the place in the config from
:func:`egscit_mm.config.naming_the_setting`.
"""
import inspect
import re
from contextlib import nullcontext
from typing import Any, Callable, Collection, Generator, Iterator, NamedTuple, Optional, Union

from mmengine import registry as registries
from mmengine.config import Config
from mmengine.config.config import DELETE_KEY
from mmengine.dist import init_dist
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader

from .arguments import OWN_PACKAGE, arguments_of, fits, package_of, text_of
from .conflicts import conflicts, metrics_of, named
from .names import NOT_OF_RUNNER, TOP_LEVEL, ConfigError, closest

# What MMEngine's Runner takes all of, or none.
_TOGETHER = {loop: (f'{loop}_dataloader', f'{loop}_cfg', part) for loop, part in dict(
    train='optim_wrapper', val='val_evaluator', test='test_evaluator').items()}
# The parts that a purpose looks at, and what it is called in an error.
_PARTS = dict(
    train=TOP_LEVEL - {*_TOGETHER['test']}, inference={'model'},
    test=TOP_LEVEL - {*_TOGETHER['train'], *_TOGETHER['val'], 'param_scheduler'})
_ACTIVITY = dict(train='training', test='test', inference='translation')
_SIDES = 'AlternatingOptimWrapperConstructor'


class _Place(NamedTuple):
    """A place in a config where MMEngine builds or calls something."""

    registry: str  # its name in ``mmengine.registry``
    added: Collection[str] = ()  # arguments that MMEngine adds to those of the config
    default: Union[str, Callable, None] = None  # type; where there is none, the config names it
    others: Collection[str] = ()  # keys that are no arguments


def _environment(cudnn_benchmark: bool = False, mp_cfg: Optional[dict] = None,
                 dist_cfg: Optional[dict] = None, resource_limit: int = 4096):
    """Stands for Runner.setup_env, which reads these of its ``env_cfg``."""


# By dotted path without the numbers of lists.
_PLACES = {
    r'model|data_preprocessor': _Place('MODELS'),
    r'model_wrapper_cfg': _Place(
        'MODEL_WRAPPERS', ('module', 'device_ids'), 'MMDistributedDataParallel'),
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
    r'': _Place('FUNCTIONS', ('self', 'model', 'work_dir'), Runner.__init__,
                # The last three may be lists and a number, which Runner's annotations do not say.
                (*NOT_OF_RUNNER, 'val_dataloader', 'test_dataloader', 'log_level')),
    r'\w+_dataloader': _Place('FUNCTIONS', (), DataLoader, (
        'num_batch_per_epoch', 'disable_subprocess_warning')),
    r'randomness': _Place('FUNCTIONS', ('self', ), Runner.set_randomness),
    r'env_cfg': _Place('FUNCTIONS', (), _environment),
    r'env_cfg\.mp_cfg': _Place('FUNCTIONS', (), set_multi_processing),
    r'env_cfg\.dist_cfg': _Place('FUNCTIONS', ('launcher', ), init_dist, ('port', )),
}
# Dictionaries that are arguments of this package's classes, built where they have a type.
_OWN_ARGUMENT, _INIT_CFG = _Place('MODELS', ('model', )), _Place('WEIGHT_INITIALIZERS')


def check_config(cfg: Config, purpose: str) -> None:
    """Refuses a config that cannot work.

    Args:
        cfg (Config): The config, with all overrides.
        purpose (str): What is to be done with it: ``'train'``, ``'test'`` or ``'inference'``. Only
            what this needs is looked at.

    Raises:
        ConfigError: With a sentence for each setting that is missing, unknown or of a wrong type,
            or that does not go together with another.
    """
    problems = list(_top_level_problems(cfg, purpose))
    scope = cfg.get('default_scope') or ('mmagic' if purpose == 'inference' else 'mmengine')
    with DefaultScope.overwrite_default_scope(scope):
        problems += _problems('', {
            key: value for key, value in cfg.items()
            if key in _PARTS[purpose] and value is not None})
        problems = problems or [*conflicts(cfg, purpose), *_parts_for_other_models(cfg, purpose)]
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


def _parts_for_other_models(cfg: Config, purpose: str) -> Iterator[str]:
    """Metrics and hooks for what models of MMagic or MMEngine have, and this package's have not."""
    model = named('MODELS', cfg.model)
    if purpose == 'inference' or package_of(model) != OWN_PACKAGE:
        return
    for name in dict(train=('val', 'test')).get(purpose, (purpose, )):
        for metric in metrics_of(cfg.get(f'{name}_evaluator')):
            bases = {base.__name__ for base in named('METRICS', metric).__mro__}
            if 'BaseSampleWiseMetric' in bases:
                yield (f"{name}_evaluator has the metric {metric['type']!r}, which compares what "
                       f"MMagic's restoration models give. {cfg.model.type} gives translations: "
                       'take metrics of docs/evaluation.md, such as TranslationSSIM.')
    if purpose != 'train':
        return
    refused = {'ExponentialMovingAverageHook'}
    remedy = 'leave the hook away.'
    if 'ema_config' in arguments_of(model)[0]:
        refused.add('EMAHook')
        remedy = f'{cfg.model.type} averages its weights itself: set model.ema_config, and {remedy}'
    hooks = {f'custom_hooks.{index}': hook
             for index, hook in enumerate(cfg.get('custom_hooks') or ())}
    hooks.update({f'default_hooks.{name}': hook
                  for name, hook in (cfg.get('default_hooks') or {}).items()})
    for place, hook in hooks.items():
        kind = named('HOOKS', hook) if isinstance(hook, dict) else None
        if refused & {base.__name__ for base in getattr(kind, '__mro__', ())}:
            yield (f'{place} is {kind.__name__}, which averages weights as other models need it: '
                   f'{remedy}')


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
    place = next((place for key, place in _PLACES.items() if re.fullmatch(key, pattern)), None)
    if not isinstance(value, dict):
        # Below these two a name may be that of something built, or of one of its arguments.
        if place and isinstance(value, (str, int, float)) and not re.match(
                r'(optim_wrapper|param_scheduler)\.', pattern):
            yield f'{path} must be a dict of settings, got {value!r}.'
        return
    if DELETE_KEY in value:  # MMEngine takes it out where it has had an effect
        yield f'{path}.{DELETE_KEY} must go: nothing is inherited there that it could delete.'
        value = {key: entry for key, entry in value.items() if key != DELETE_KEY}
    scope = value.get('_scope_') or scope
    own_arguments = ()
    if place is None and own:
        place = _INIT_CFG if pattern.endswith('.init_cfg') else _OWN_ARGUMENT
    if pattern == 'optim_wrapper' and 'optimizer' not in value:
        kind = value.get('constructor')
        if kind is None:
            yield f'{path}.constructor is missing: such as {_SIDES!r}, for one optimizer a side.'
        else:
            yield from _find(f'{path}.constructor', kind, 'OPTIM_WRAPPER_CONSTRUCTORS', scope)
        if kind != _SIDES:
            return  # another constructor takes what it likes
    if place is not None and not _is_group(pattern, value):
        kind = value.get('type', place.default)
        if kind is None and 'by_epoch' in value:  # MMEngine's short form of a train_cfg
            kind = 'EpochBasedTrainLoop' if value['by_epoch'] else 'IterBasedTrainLoop'
        if kind is not None:
            constructor = yield from _find(f'{path}.type', kind, place.registry, scope)
            if constructor is not None:
                if package_of(constructor) == OWN_PACKAGE:
                    own_arguments = arguments_of(constructor)[0]
                yield from _argument_problems(path, value, constructor, place)
        elif place not in (_OWN_ARGUMENT, _INIT_CFG):
            yield f"{path} has no type: it must say what to build, as in dict(type='...', ...)."
    for key, entry in value.items():
        yield from _problems(f'{path}.{key}'.lstrip('.'), entry, key in own_arguments, scope)


def _is_group(pattern: str, value: dict) -> bool:
    """Whether a dictionary only gathers others, under names that its author chooses."""
    if pattern == 'optim_wrapper':
        return 'constructor' in value
    if pattern == 'param_scheduler':
        return 'type' not in value and all(isinstance(v, (dict, list)) for v in value.values())
    return pattern.endswith('_evaluator') and 'metrics' in value


def _find(path: str, kind: Any, registry: str,
          scope: Optional[str]) -> Generator[str, None, Optional[Callable]]:
    """Returns what a ``type`` names; where that is nothing, yields what is wrong."""
    if callable(kind):
        return kind
    root = getattr(registries, registry)
    # No package has its own registry of functions.
    with (nullcontext(root) if registry == 'FUNCTIONS' else
          root.switch_scope_and_registry(scope)) as scoped:
        found = scoped.get(kind) if isinstance(kind, str) else None
        known = {*root.module_dict, *scoped.module_dict}
    if found is None:
        close = closest(str(kind).rpartition('.')[2], known)
        remedy = f'did you mean {close!r}?' if close else (
            'correct the name, or import the module that registers it by custom_imports.')
        yield f'{path} is {kind!r}, which is not in the registry {registry}: {remedy}'
    return found


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
            yield f'{path}.{key} is no setting: {remedy}'.lstrip('.')
    takes_more = place == _Place('FUNCTIONS')  # when it is called, for each batch or worker
    for key, (default, hint) in arguments.items():
        if key not in given:
            if default is inspect.Parameter.empty and not takes_more and key not in (
                    *place.added, *found):
                yield f'{path}.{key} is missing: it has no default.'
        elif not fits(given[key], hint) and given[key] is not default:
            name = getattr(constructor, '__qualname__', str(constructor))
            yield (f'{path}.{key} of {name.removesuffix(".__init__")} should be {text_of(hint)}, '
                   f'got {given[key]!r}.').lstrip('.')
