# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What is wrong with a config, said before anything is built from it.

MMEngine hands the dictionaries of a config to constructors one by one, some of them hours after the
start, and their errors do not say which setting they are about. :func:`check_config` compares names
and values with the constructors' signatures first. What it cannot judge it lets pass; to what the
constructors then say, :func:`naming_the_setting` adds the place in the config.
"""
import ast
import collections.abc
import difflib
import functools
import inspect
import math
import numbers
import os
import re
import traceback
import types
import typing
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Union

from mmengine import registry as registries
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import DefaultScope, build_functions
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader

from .config_conflicts import conflicts
from .utils.errors import UserError

# What MMEngine's Runner takes all of, or none.
_TOGETHER = dict(
    train=('train_dataloader', 'train_cfg', 'optim_wrapper'),
    val=('val_dataloader', 'val_cfg', 'val_evaluator'),
    test=('test_dataloader', 'test_cfg', 'test_evaluator'))
_COMMON = ('default_hooks', 'custom_hooks', 'log_processor', 'visualizer', 'randomness', 'env_cfg')
# The parts that a purpose looks at, and what it is called in an error.
_PARTS = dict(
    train=(*_TOGETHER['train'], *_TOGETHER['val'], 'param_scheduler', *_COMMON),
    test=(*_TOGETHER['test'], *_COMMON),
    inference=())
_ACTIVITY = dict(train='a training', test='a test', inference='a translation')
_TOP_LEVEL = {
    *inspect.signature(Runner.__init__).parameters, 'model_wrapper_cfg', 'custom_imports',
    'stage1_config'
} - {'self', 'cfg'}


class _Place(NamedTuple):
    """A place in a config where MMEngine builds something.

    Args:
        registry (str): Name of the registry in ``mmengine.registry``.
        added (set[str]): Arguments that MMEngine adds to those of the config.
        default (str | None): The type where the config names none; None if it has to.
    """

    registry: str
    added: set = frozenset()
    default: Optional[str] = None


# By dotted path without the numbers of lists.
_PLACES = {
    r'model|data_preprocessor': _Place('MODELS'),
    r'\w+_dataloader(\.dataset)+': _Place('DATASETS'),
    r'\w+_dataloader(\.dataset)+\.pipeline': _Place('TRANSFORMS'),
    r'\w+_dataloader\.sampler': _Place('DATA_SAMPLERS', {'dataset'}),
    r'\w+_dataloader\.batch_sampler': _Place('DATA_SAMPLERS', {'sampler', 'batch_size'}),
    r'\w+_dataloader\.(collate_fn|worker_init_fn)': _Place('FUNCTIONS'),
    r'train_cfg': _Place('LOOPS', {'runner', 'dataloader'}),
    r'val_cfg': _Place('LOOPS', {'runner', 'dataloader', 'evaluator'}, 'ValLoop'),
    r'test_cfg': _Place('LOOPS', {'runner', 'dataloader', 'evaluator'}, 'TestLoop'),
    r'optim_wrapper(\.\w+)?\.optimizer': _Place('OPTIMIZERS', {'params'}),
    r'optim_wrapper(\.(?!constructor|clip_grad|paramwise_cfg)\w+)?': _Place(
        'OPTIM_WRAPPERS', set(), 'OptimWrapper'),
    r'param_scheduler(\.\w+)?': _Place('PARAM_SCHEDULERS', {'optimizer', 'end'}),
    r'default_hooks\.\w+|custom_hooks': _Place('HOOKS'),
    r'(val|test)_evaluator(\.metrics)?': _Place('METRICS'),
    r'visualizer': _Place('VISUALIZERS', {'name'}, 'Visualizer'),
    r'visualizer\.vis_backends': _Place('VISBACKENDS', {'save_dir'}),
    r'log_processor': _Place('LOG_PROCESSORS', set(), 'LogProcessor'),
}
# Dictionaries that are arguments of this package's classes.
_OWN_ARGUMENT = _Place('MODELS', {'model'})
_INIT_CFG = _Place('WEIGHT_INITIALIZERS')
# Dictionaries that are a function's keywords, what else may be among them, and what has to be.
_KEYWORDS = {
    r'\w+_dataloader': (DataLoader, ('num_batch_per_epoch', 'disable_subprocess_warning'),
                        ('dataset', 'sampler')),
    r'randomness': (Runner.set_randomness, (), ('seed', )),
    r'env_cfg\.mp_cfg': (set_multi_processing, (), ()),
}
# Ranges, where MMEngine, MMagic and PyTorch take other values in silence, or fail much later.
_RANGES = {
    r'\w+_dataloader\.batch_size': (1, math.inf),
    r'\w+_dataloader\.num_workers': (0, math.inf),
    r'\w+_dataloader(\.dataset)+\.pipeline\.flip_ratio': (0, 1),
    r'model\.ema_config\.interval': (1, math.inf),
    r'optim_wrapper(\.\w+)?\.accumulative_counts': (1, math.inf),
    r'optim_wrapper(\.\w+)?\.optimizer\.lr': (0, math.inf),
    r'train_cfg\.(max_iters|max_epochs|val_interval)': (1, math.inf),
    r'log_processor\.window_size': (1, math.inf),
    r'randomness\.seed': (0, 2**32 - 1),
}
_CHOICES = {
    r'\w+_dataloader(\.dataset)+\.pipeline\.color_type': (
        'color', 'grayscale', 'unchanged', 'color_ignore_orientation',
        'grayscale_ignore_orientation', 'unchanged_ignore_orientation'),
    r'env_cfg\.mp_cfg\.mp_start_method': ('fork', 'spawn', 'forkserver'),
}
# Here a name may be that of something built, or of one of its arguments.
_NAMED = re.compile(r'(optim_wrapper|param_scheduler)\.')
_SIDES = 'AlternatingOptimWrapperConstructor'
_OWN_PACKAGE = __name__.split('.')[0]
# Packages whose annotations hold; many of MMagic's and MMCV's do not.
_WELL_ANNOTATED = (_OWN_PACKAGE, 'mmengine', 'torch')


class ConfigError(UserError):
    """A config that does not work; the message names file, setting and remedy."""


def read_config(path: Union[str, os.PathLike, Config]) -> Config:
    """Reads a config file.

    Args:
        path (str | PathLike | Config): The file; a config is returned as it is.

    Raises:
        ConfigError: If the file does not exist or is no config.
    """
    if isinstance(path, Config):
        return path
    path = os.fspath(path)
    if not os.path.isfile(path):
        found = 'is a folder' if os.path.isdir(path) else 'does not exist'
        raise ConfigError(f'Config {path!r} {found}; give a config file, see configs/egscit/.')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is Python code and may raise anything
        raise ConfigError(f'Config {path!r} cannot be read ({type(error).__name__}: {error}): '
                          'correct it, or the file that it names as _base_.') from error
    _check_variables(cfg)
    return cfg


def _check_variables(cfg: Config) -> None:
    """Refuses a variable of the file that looks like a setting, but is used for nothing.

    ``max_iters = 100`` at the top of a config changes nothing where its ``_base_`` has set
    ``train_cfg.max_iters``. Variables that the file uses, and those of other names, are its own.
    """
    if not cfg.filename.endswith('.py'):
        return
    with open(cfg.filename, encoding='utf-8') as file:
        tree = ast.parse(file.read())
    if not any(getattr(target, 'id', '') == '_base_' for statement in tree.body
               if isinstance(statement, ast.Assign) for target in statement.targets):
        return  # such as the whole config that MMEngine writes to a work dir, with all variables
    used = {node.id for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for statement in tree.body:
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            name = getattr(target, 'id', '_')
            if name in _TOP_LEVEL or name.startswith('_') or name in used:
                continue
            if places := [place for place in _places_of(cfg, name) if place.endswith(f'.{name}')]:
                raise ConfigError(f'{cfg.filename}: {name} at the top of the file changes nothing: '
                                  f'set {" or ".join(places)}.')


def _places_of(cfg: Config, name: str) -> List[str]:
    """Settings that a variable was meant for: of its name, or with its value if that is long."""
    value = cfg.get(name)

    def find(path: str, inside: Any) -> Iterator[str]:
        for key, entry in inside.items() if isinstance(inside, dict) else (
                enumerate(inside) if isinstance(inside, (list, tuple)) else ()):
            place = f'{path}.{key}'
            if key == name or isinstance(value, (dict, list)) and entry == value:
                yield place
            else:
                yield from find(place, entry)

    return [place for key in cfg if key in _TOP_LEVEL for place in find(key, cfg[key])]


def merge_options(cfg: Config, options: dict) -> None:
    """Overrides settings of a config, as ``--cfg-options`` does.

    Args:
        cfg (Config): Changed in place.
        options (dict): Values by dotted path.

    Raises:
        ConfigError: If a path leads nowhere, or to a variable of the config's author that was used
            when the file was read and now changes nothing.
    """
    for path, value in options.items():
        name = path.split('.')[0]
        if name not in _TOP_LEVEL:
            places = _places_of(cfg, name)
            close = _closest(name, _TOP_LEVEL)
            remedy = f'set {" or ".join(places)}.' if places else (
                f'did you mean {path.replace(name, close, 1)}?' if close else
                f'settings begin with {", ".join(sorted(_TOP_LEVEL & cfg.keys()))}.')
            raise ConfigError(f'{path}={value!r} changes nothing: {name} is no setting of '
                              f'{cfg.filename}; {remedy}')
        if name == 'launcher':
            raise ConfigError('launcher in --cfg-options changes nothing: give it as --launcher.')
        try:
            cfg.merge_from_dict({path: value})
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            text = str(error.args[0] if error.args else error)
            raise ConfigError(
                f'{path}={value!r} fits no setting of {cfg.filename}: {text}') from error


def check_config(cfg: Config, purpose: str) -> None:
    """Refuses a config that cannot work.

    Args:
        cfg (Config): The config, with all overrides.
        purpose (str): What is to be done with it: ``'train'``, ``'test'`` or ``'inference'``. Only
            what this needs is looked at.

    Raises:
        ConfigError: With a sentence for each setting that is missing, unknown, of a wrong type or
            out of range.
    """
    problems = list(_top_level_problems(cfg, purpose))
    scope = cfg.get('default_scope') or ('mmagic' if purpose == 'inference' else 'mmengine')
    with DefaultScope.overwrite_default_scope(scope):
        for key in ('model', *_PARTS[purpose]):
            if cfg.get(key) is not None:
                problems += _problems(key, cfg[key])
    problems = problems or list(conflicts(cfg, purpose))
    # One sentence for each setting: the first is the more general one.
    problems = [*{problem.split()[0]: problem for problem in reversed(problems)}.values()][::-1]
    if problems:
        name = cfg.filename or 'The config'
        if len(problems) == 1:
            raise ConfigError(f'{name}: {problems[0]}')
        raise ConfigError('\n  '.join([f'{name} has {len(problems)} wrong settings:', *problems]))


def _top_level_problems(cfg: Config, purpose: str) -> Iterator[str]:
    """Parts that are missing or have another name."""
    misspelled = {
        wanted: key for key in cfg
        if key not in _TOP_LEVEL and (wanted := _closest(key, _TOP_LEVEL, 0.88))
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
                yield (f'{key} is missing, without which there is no {_ACTIVITY[purpose][2:]}'
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
    if place is None and own:
        place = _INIT_CFG if pattern.endswith('.init_cfg') else _OWN_ARGUMENT
    keywords = _match(_KEYWORDS, pattern)
    limits = _match(_RANGES, pattern)
    if limits is not None and value is not None and not (
            _fits(value, float) and limits[0] <= value <= limits[1]):
        most = '' if limits[1] == math.inf else f' and at most {limits[1]}'
        yield f'{path} must be a number of at least {limits[0]}{most}, got {value!r}.'
        return
    choices = _match(_CHOICES, pattern)
    if choices is not None and isinstance(value, str) and value not in choices:
        yield f'{path} must be one of {", ".join(choices)}, got {value!r}.'
    if not isinstance(value, dict):
        is_place = keywords or pattern in ('default_hooks', 'env_cfg') or _match(_PLACES, pattern)
        if is_place and isinstance(value, (str, numbers.Number)) and not _NAMED.match(pattern):
            yield f'{path} must be a dict of settings, got {value!r}.'
        return
    scope = value.get('_scope_') or scope
    if pattern == 'optim_wrapper':
        yield from _constructor_problems(value, scope)
        if value.get('constructor') != _SIDES and 'optimizer' not in value:
            return  # another constructor takes what it likes
    own_arguments = ()
    if keywords is not None:
        function, others, needed = keywords
        arguments = _arguments(function)[0]
        yield from _unknown(path, value, {*arguments, *others}, needed)
        yield from _type_problems(path, value, function, arguments)
    elif place is not None and not _is_group(pattern, value):
        kind = value.get('type', place.default)
        if kind is None and 'by_epoch' in value:  # MMEngine's short form of a train_cfg
            kind = 'EpochBasedTrainLoop' if value['by_epoch'] else 'IterBasedTrainLoop'
        if kind is None:
            if place not in (_OWN_ARGUMENT, _INIT_CFG):
                yield f"{path} has no type: it must say what to build, as in dict(type='...', ...)."
        else:
            constructor = _constructor(kind, place.registry, scope)
            if constructor is None:
                yield _unknown_type(path, kind, place.registry, scope)
            else:
                own_arguments = _arguments(constructor)[0] if _is_own(constructor) else ()
                yield from _argument_problems(path, value, constructor, place)
    for key, entry in value.items():
        yield from _problems(f'{path}.{key}', entry, key in own_arguments, scope)


def _is_group(pattern: str, value: dict) -> bool:
    """Whether a dictionary only gathers others, under names that its author chooses."""
    if pattern == 'optim_wrapper':
        return 'constructor' in value
    if pattern == 'param_scheduler':
        return 'type' not in value and all(isinstance(v, (dict, list)) for v in value.values())
    return pattern.endswith('_evaluator') and 'metrics' in value


def _constructor_problems(value: dict, scope: Optional[str]) -> Iterator[str]:
    path, kind = 'optim_wrapper.constructor', value.get('constructor')
    sides = [key for key, entry in value.items()
             if isinstance(entry, dict) and 'optimizer' in entry]
    if kind is None and sides:
        yield (f"{path} is missing: with one optimizer each for {', '.join(sides)} it must be one "
               f'for several, such as {_SIDES!r}.')
    elif kind is not None and _constructor(kind, 'OPTIM_WRAPPER_CONSTRUCTORS', scope) is None:
        yield _unknown_type(path, kind, 'OPTIM_WRAPPER_CONSTRUCTORS', scope)


def _match(table: Dict[str, Any], path: str) -> Any:
    return next((entry for pattern, entry in table.items() if re.fullmatch(pattern, path)), None)


# --------------------------------------------------------------------------------------- types
def _constructor(kind: Any, registry: str, scope: Optional[str]) -> Optional[Callable]:
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
    close = _closest(str(kind).rpartition('.')[2], known)
    remedy = f'did you mean {close!r}?' if close else (
        'correct the name, or import the module that registers it by custom_imports.')
    place = path if path.endswith('.constructor') else f'{path}.type'
    return f'{place} is {kind!r}, which is not in the registry {registry}: {remedy}'


def _package(constructor: Callable) -> str:
    return (getattr(constructor, '__module__', None) or '').split('.')[0]


def _is_own(constructor: Callable) -> bool:
    return _package(constructor) == _OWN_PACKAGE


def _closest(name: str, known: typing.Iterable[str], cutoff: float = 0.7) -> Optional[str]:
    return next(iter(difflib.get_close_matches(name, known, 1, cutoff)), None)


# ----------------------------------------------------------------------------------- arguments
def _argument_problems(path: str, settings: dict, constructor: Callable,
                       place: _Place) -> Iterator[str]:
    """Arguments that are unknown, missing or of another type."""
    arguments, takes_others = _arguments(constructor)
    given = {key: value for key, value in settings.items() if key not in ('type', '_scope_')}
    if place.registry == 'OPTIM_WRAPPERS':
        given.pop('constructor', None)
        given.pop('paramwise_cfg', None)
    if place.registry == 'LOOPS':
        given.pop('by_epoch', None)
    needed = [] if place.registry == 'FUNCTIONS' else [
        key for key, (parameter, _) in arguments.items()
        if parameter.default is parameter.empty and key not in place.added
    ]
    yield from _unknown(path, given, given if takes_others else arguments, needed)
    yield from _type_problems(path, given, constructor, arguments)


def _unknown(path: str, given: dict, known: typing.Collection[str],
             needed: typing.Collection[str]) -> Iterator[str]:
    """Arguments that there are not, and those that are needed; a misspelled one is both."""
    found = set()
    for key in given:
        if key not in known:
            close = _closest(key, known, 0.6)
            found.add(close)
            remedy = f'did you mean {close}?' if close else f'known are {", ".join(sorted(known))}.'
            yield f'{path}.{key} is no setting: {remedy}'
    for key in needed:
        if key not in given and key not in found:
            yield f'{path}.{key} is missing: it has no default.'


def _type_problems(path: str, given: dict, function: Callable, arguments: dict) -> Iterator[str]:
    name = getattr(function, '__name__', function)
    for key, (parameter, hint) in arguments.items():
        if key in given and not _fits(given[key], hint) and given[key] is not parameter.default:
            yield f'{path}.{key} of {name} should be {_text(hint)}, got {given[key]!r}.'


def _arguments(constructor: Callable) -> tuple:
    """Parameter and annotation of every argument by name, and whether there may be others."""
    if not inspect.isclass(constructor):
        steps = [constructor]
    else:
        steps = [vars(cls)['__init__'] for cls in constructor.__mro__ if '__init__' in vars(cls)]
    arguments = {}
    for step in steps:
        try:
            parameters, hints = _signature(step)
        except (TypeError, ValueError):
            return arguments, True
        for parameter in parameters[inspect.isclass(constructor):]:
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                arguments.setdefault(parameter.name, (parameter, hints.get(parameter.name)))
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters):
            return arguments, False
        if step is CheckpointHook.__init__:  # it calls this with the others, at the first save
            for name, parameter in inspect.signature(Runner.save_checkpoint).parameters.items():
                if parameter.default is not parameter.empty:
                    arguments.setdefault(name, (parameter, None))
            return arguments, False
        # This package's classes hand **kwargs on to their base; what others do is not known.
        if not _is_own(step):
            return arguments, True
    return arguments, True


@functools.cache
def _signature(function: Callable) -> tuple:
    """Parameters, and those of the annotations by name that can be relied on."""
    parameters = list(inspect.signature(function).parameters.values())
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):  # names that only a type checker knows
        hints = {}
    if _package(function) not in _WELL_ANNOTATED:
        hints = {name: hint for name, hint in hints.items() if hint in (bool, str)}
    hints.pop('init_cfg', None)  # MMEngine takes lists of them, too
    return parameters, hints


def _text(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else re.sub(
        r'\b(typing|collections\.abc)\.', '', str(hint))


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value may stand where a type is expected; True where that cannot be said.

    As configs are written: lists for tuples, integers for floats, numbers 0 and 1 for bools, paths
    for strings, dictionaries for what is built from them.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is typing.Literal:
        return value in inner
    expected = origin or hint
    if not inspect.isclass(expected) or expected is object:
        return True  # none, Any, a type variable, a forward reference
    if expected is collections.abc.Callable:
        return callable(value) or isinstance(value, dict)
    if expected is bool:
        return isinstance(value, bool) or value in (0, 1)
    if expected in (int, float):
        # 1e4 is a way to write an interval.
        return isinstance(value, numbers.Real) and (expected is float or value == value // 1)
    if expected is str:
        return isinstance(value, (str, os.PathLike))
    if issubclass(expected, collections.abc.Mapping):
        return isinstance(value, collections.abc.Mapping) and all(
            _fits(entry, inner[1]) for entry in value.values() if inner)
    if issubclass(expected, (list, tuple, collections.abc.Collection)):
        if isinstance(value, str) and str in inner:
            return not issubclass(expected, (list, tuple))
        if isinstance(value, (str, dict, numbers.Number)) or value is None:
            return False
        if not isinstance(value, (list, tuple)) or not inner:
            return True
        if expected is tuple and Ellipsis not in inner:
            return len(value) == len(inner) and all(map(_fits, value, inner))
        return all(_fits(entry, inner[0]) for entry in value)
    return isinstance(value, (dict, expected))


# -------------------------------------------------------------------------- what constructors say
@contextmanager
def naming_the_setting(cfg: Config) -> Iterator[None]:
    """Adds the place in the config to errors of the constructors that are called inside.

    Args:
        cfg (Config): The config that things are built from.

    Raises:
        ConfigError: Instead of a ValueError or AssertionError of a constructor, and of MMEngine's
            errors of types and arguments that do not exist.
    """
    try:
        yield
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        place = _checkpoint_of(error) or _place_of(error, cfg)
        if place is None:
            raise
        text = str(error.args[0] if error.args else type(error).__name__).replace('\n', ' ')
        if text.startswith('`cfg` or `default_args` must contain the key "type"'):
            text = "it has no type: it must say what to build, as in dict(type='...', ...)"
        name = cfg.filename or 'The config'
        raise ConfigError(f'{name}: {place}: {text}') from error


def _checkpoint_of(error: Exception) -> Optional[str]:
    """The checkpoint that a Runner was loading when it was refused; None if it was none."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in frames:
        is_refusal = isinstance(error, ValueError) or frame is frames[-1]
        if is_refusal and frame.f_code is Runner.load_checkpoint.__code__:
            return frame.f_locals['filename']
        if is_refusal and frame.f_code is Runner.resume.__code__:
            return (f'{frame.f_locals["filename"]} cannot be resumed, for it is no checkpoint of a '
                    'whole training (give it as load_from instead); it has no')
    return None


def _place_of(error: Exception, cfg: Config) -> Optional[str]:
    """Dotted path of what was being built when the error came up; None if that was not its fault.

    The registries' frames in the traceback hold the dictionaries, outermost first.
    """
    built, frame = [], None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code is build_functions.build_from_cfg.__code__:
            built.append(frame.f_locals['cfg'])
        elif frame.f_code is Runner.build_dataloader.__code__:
            built.append(frame.f_locals['dataloader'])
        trace = trace.tb_next
    if not built:
        return None
    by_registry = frame.f_code is build_functions.build_from_cfg.__code__
    is_call = isinstance(error, TypeError) and re.search(
        r"(unexpected keyword|missing \d+ required|multiple values)", str(error))
    if isinstance(error, (KeyError, TypeError)) and not (by_registry or is_call):
        return None  # a mistake in the program
    path, inside = [], cfg
    for settings in built:
        found = _path_to(settings, inside)  # not what MMEngine has put together itself
        if found is not None:
            path += found
            inside = _follow(inside, found)
    return '.'.join(path) or None


def _path_to(settings: dict, inside: Any) -> Optional[List[str]]:
    """Where a dictionary with these settings lies in a config; the builder may have added some."""
    entries = inside.items() if isinstance(inside, dict) else (
        enumerate(inside) if isinstance(inside, (list, tuple)) else ())
    entries = list(inside.items()) if isinstance(inside, Config) else list(entries)
    for key, value in entries:
        if isinstance(value, dict) and value.get('type') == settings.get('type') and all(
                name in settings for name in value):
            return [str(key)]
    for key, value in entries:
        found = _path_to(settings, value)
        if found is not None:
            return [str(key), *found]
    return None


def _follow(inside: Any, path: List[str]) -> Any:
    for key in path:
        inside = inside[int(key)] if isinstance(inside, (list, tuple)) else inside[key]
    return inside
