# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Where in a config the setting stands that a constructor refuses."""
import re
import traceback
from contextlib import contextmanager
from typing import Any, Iterator, Optional

from mmengine.config import Config
from mmengine.registry import build_functions
from mmengine.runner import Runner

from .names import TOP_LEVEL, ConfigError


@contextmanager
def naming_the_setting(cfg: Config) -> Iterator[None]:
    """Adds the place in the config to errors of the constructors that are called inside.

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
        # Some name the argument first, as in "data_root='x': ...".
        place += '.' if re.match(r'\w+=', text) else ': '
        raise ConfigError(f'{name}: {place}{text}') from error


def _checkpoint_of(error: Exception) -> Optional[str]:
    """The checkpoint that a Runner was loading when it was refused.

    None if it was none, or the error begins with its name.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in frames:
        is_refusal = isinstance(error, ValueError) or frame is frames[-1]
        if str(error).startswith(f'{frame.f_locals.get("filename")} '):
            return None
        if is_refusal and frame.f_code is Runner.load_checkpoint.__code__:
            return frame.f_locals['filename']
        if is_refusal and frame.f_code is Runner.resume.__code__:
            path = f'{frame.f_locals["filename"]} cannot be resumed'
            return path if isinstance(error, ValueError) else (
                f'{path}, for it is no checkpoint of a whole training (give it as load_from '
                'instead); it has no')
    return None


def _place_of(error: Exception, cfg: Config) -> Optional[str]:
    """Dotted path of what was being built when the error came up; None if that was not its fault.

    The registries' frames in the traceback hold the dictionaries, outermost first.
    """
    built, frame = [], None
    of_runner = {function.__code__: place for function, place in (
        (Runner.setup_env, 'env_cfg'), (Runner.set_randomness, 'randomness'),
        (Runner.build_logger, 'log_level is none of DEBUG, INFO, WARNING, ERROR, CRITICAL'))}
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code is build_functions.build_from_cfg.__code__:
            built.append(frame.f_locals['cfg'])
        elif frame.f_code in of_runner:
            return of_runner[frame.f_code]
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
    loop, path, inside = None, [], {key: value for key, value in cfg.items() if key in TOP_LEVEL}
    for settings in built:
        # The builder may have added some; what MMEngine has put together itself is not there.
        similar = [(steps, entry) for steps, entry in _dicts(inside)
                   if isinstance(settings, dict) and entry.get('type') == settings.get('type')
                   and all(name in settings for name in entry)]
        if similar:
            steps, inside = min(similar, key=lambda found: sum(
                settings[name] != value for name, value in found[1].items()))
            path += steps
        if path in (['train_cfg'], ['val_cfg'], ['test_cfg']):
            loop = path.pop()  # which builds what stands beside it
            inside = {key: value for key, value in cfg.items()
                      if key in TOP_LEVEL and key.startswith(loop.removesuffix('cfg'))}
    return '.'.join(path) or loop


def _dicts(inside: Any, path: tuple = ()) -> Iterator[tuple]:
    """Paths of all dictionaries in a config, and these, outer ones first."""
    entries = inside.items() if isinstance(inside, dict) else (
        enumerate(inside) if isinstance(inside, (list, tuple)) else ())
    entries = [((*path, str(key)), value) for key, value in entries]
    yield from ((steps, value) for steps, value in entries if isinstance(value, dict))
    for steps, value in entries:
        yield from _dicts(value, steps)
