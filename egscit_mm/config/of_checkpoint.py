# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The config that comes with a checkpoint."""
import ast
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, Tuple

from mmengine.config import Config
from mmengine.logging import print_log

# What the text of a config consists of that MMEngine has written.
_DATA = (ast.Module, ast.Assign, ast.Name, ast.Store, ast.Load, ast.Call, ast.keyword, ast.Dict,
         ast.List, ast.Tuple, ast.Constant, ast.UnaryOp, ast.USub)
# Settings of the networks that do not make other pictures of the same weights, or are there to be
# changed in use.
_FREE = {'pretrained', 'alpha',
         # Of the training alone.
         'activation_checkpointing', 'content_noise', 'cycle_mask', 'detach_cycle', 'equal_start',
         'init_cfg', 'latent_noise'}


def config_of_text(text: str) -> Config:
    """Reads a config as a training has written it, from ``meta['cfg']`` of a checkpoint.

    Raises:
        SyntaxError, TypeError, ValueError: If it is none, or holds more than data.
    """
    # MMEngine runs a config: one that comes with a checkpoint may hold data alone.
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, _DATA) or getattr(node, 'id', '') == '_base_' or (
                isinstance(node, ast.Call) and ast.unparse(node.func) != 'dict'):
            raise ValueError(ast.unparse(node))
    with TemporaryDirectory() as folder:
        path = Path(folder, 'config.py')
        path.write_text(text, encoding='utf-8')
        return Config.fromfile(path, use_predefined_variables=False, import_custom_modules=False,
                               use_environment_variables=False)


def note_other_settings(model: Dict[str, Any], meta: Any) -> None:
    """Logs a warning where a config's networks compute otherwise than a checkpoint's did.

    Such settings have no weights (the form of AdaIN, the mask's threshold), so that the weights
    fit and the pictures are wrong.

    Args:
        model (dict): ``model`` of the config.
        meta: ``meta`` of a checkpoint, of a training or published; none, or one without a config,
            tells nothing.
    """
    meta = meta if isinstance(meta, dict) else {}
    trained = meta.get('config')
    if isinstance(meta.get('cfg'), str):
        try:
            trained = config_of_text(meta['cfg'])
        except (SyntaxError, TypeError, ValueError):
            return
    trained = (trained or {}).get('model')
    if not trained or trained.get('type') != model.get('type'):
        return
    here, there = (dict(_settings(config.get('generator') or {})) for config in (model, trained))
    for name in sorted(here.keys() | there.keys()):
        if _FREE.isdisjoint(name.split('.')) and here.get(name) != there.get(name):
            values = [repr(side[name]) if name in side else 'not set' for side in (here, there)]
            print_log(f'model.generator.{name} is {values[0]} in the config; the checkpoint was '
                      f'trained with {values[1]}: pictures and figures may be wrong.', 'current',
                      level=logging.WARNING)


def _settings(settings: Any, place: str = '') -> Iterator[Tuple[str, Any]]:
    """Dotted names and values of nested settings; a tuple is as a list."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from _settings(value, f'{place}.{key}' if place else str(key))
    else:
        yield place, list(settings) if isinstance(settings, tuple) else settings
