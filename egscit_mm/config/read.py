# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Config files and ``--cfg-options``, and keys in them that change nothing."""
import ast
import os
import traceback
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.logging import print_log

from ..compat.own_configs import PREFIX, own_path
from ..packaged import packaged_folder
from .names import TOP_LEVEL, ConfigError, closest


def read_config(path: Union[str, os.PathLike, Config],
                options: Optional[Dict[str, Any]] = None) -> Config:
    """Reads a config file; ``options`` override its settings, see :func:`merge_options`.

    ``egscit_mm::egscit/NAME.py``, and a path that starts with ``configs/`` and is not there, are
    looked up among the package's own configs, so that they can be used without a checkout.

    Raises:
        ConfigError: If the file does not exist or is no config, or an option is wrong.
    """
    cfg = path if isinstance(path, Config) else _from_file(path)
    merge_options(cfg, options or {})
    return cfg


def stage1_path(cfg: Config) -> str:
    """Path of a config's ``stage1_config``, or of the package's config of that name.

    A bare name is one beside the config; where there is none, the package's is taken, so that a
    config elsewhere inherits stage 1, too.
    """
    path = Config._get_cfg_path(cfg.stage1_config, cfg.filename)[0]
    folder = packaged_folder('configs')
    own = folder and folder / 'egscit' / cfg.stage1_config
    if os.path.isfile(path) or own is None or not own.is_file():
        return path
    print_log(f'Stage 1: there is no {path}; it is the one of the package, {own}.', 'current')
    return str(own)


def _from_file(path: Union[str, os.PathLike]) -> Config:
    path = _packaged(os.fspath(path))
    if not os.path.isfile(path):
        found = 'is a folder' if os.path.isdir(path) else 'does not exist'
        raise ConfigError(f'Config {path!r} {found}; {_close_config(path)}.')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is Python code and may raise anything
        if clash := _clash(error):
            raise ConfigError('{}: {} is a dict here and {} in its _base_: add _delete_=True to '
                              'that dict, so that it takes the place of the other.'.format(
                                  *clash)) from error
        raise ConfigError(f'Config {path!r} cannot be read ({type(error).__name__}: {error}): '
                          'correct it, or the file that it names as _base_.') from error
    _check_variables(cfg)
    return cfg


def _clash(error: Exception) -> Optional[Tuple[str, str, str]]:
    """Where MMEngine was to merge a dictionary into something else: file, dotted key, and what.

    Its own error says neither file nor dotted key, and repeats the whole dictionary.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    merges = [frame.f_locals for frame in frames
              if frame.f_code is Config._merge_a_into_b.__code__]
    if not merges or frames[-1].f_code is not Config._merge_a_into_b.__code__ or not isinstance(
            error, TypeError):
        return None
    files = [frame.f_locals['filename'] for frame in frames
             if frame.f_code is Config._file2dict.__code__]
    other = merges[-1]['b'][merges[-1]['k']]
    return (files[-1] if files else '', '.'.join(str(merge['k']) for merge in merges),
            'None' if other is None else f'a {type(other).__name__}')


def _close_config(path: str) -> str:
    folder, name = packaged_folder('configs'), os.path.basename(path)
    if folder is not None and name and folder.joinpath('egscit', name).is_file():
        return f'the package has configs/egscit/{name}'
    return 'give a config file, see configs/egscit/'


def _packaged(path: str) -> str:
    if path.startswith(PREFIX):
        return own_path(path)
    parts, folder = Path(path).parts, packaged_folder('configs')
    if os.path.exists(path) or parts[:1] != ('configs', ) or folder is None:
        return path
    own = folder.joinpath(*parts[1:])
    return str(own) if own.is_file() else path


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
            if name in TOP_LEVEL or name.startswith('_') or name in used:
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

    return [place for key in cfg if key in TOP_LEVEL for place in find(key, cfg[key])]


def merge_options(cfg: Config, options: dict) -> None:
    """Overrides settings of a config, as ``--cfg-options`` does.

    Raises:
        ConfigError: If a path leads nowhere, or to a variable of the config's author that was used
            when the file was read and now changes nothing.
    """
    for path, value in options.items():
        name = path.split('.')[0]
        if name not in TOP_LEVEL:
            places = _places_of(cfg, name)
            close = closest(name, TOP_LEVEL)
            remedy = f'set {" or ".join(places)}.' if places else (
                f'did you mean {path.replace(name, close, 1)}?' if close else
                f'settings begin with {", ".join(sorted(TOP_LEVEL & cfg.keys()))}.')
            raise ConfigError(f'{path}={value!r} changes nothing: {name} is no setting of '
                              f'{cfg.filename}; {remedy}')
        if name in ('launcher', 'custom_imports'):
            remedy = 'give it as --launcher' if name == 'launcher' else (
                'imports are made when the file is read, so write them there')
            raise ConfigError(f'{name} in --cfg-options changes nothing: {remedy}.')
        try:
            cfg.merge_from_dict({path: value})
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            clash = _clash(error)
            text = '{1} is {2} there and has nothing inside.'.format(*clash) if clash else (
                str(error.args[0] if error.args else error))
            raise ConfigError(
                f'{path}={value!r} fits no setting of {cfg.filename}: {text}') from error
