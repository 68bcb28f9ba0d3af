# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""This package's configs by the names that MMEngine has for those of MMagic."""
from __future__ import annotations

import functools

from ..packaged import packaged_folder
from ..utils.errors import MissingFileError, UserError
from .patching import once, rebind

PREFIX = 'egscit_mm::'


@once
def offer_own_configs() -> None:
    """Let ``egscit_mm::egscit/NAME.py`` stand in ``_base_`` and in ``mmengine.hub.get_config``.

    Symptom (mmengine 0.10): ``AssertionError: mmengine does not support to load egscit_mm config``.
    It knows a fixed list of packages, and looks for the files of an editable install where there
    are none. Its scope would be ``egscit_mm``, but all parts are registered in ``mmagic``: here a
    base has no scope, as one that is named by its path.
    """
    from mmengine import hub
    from mmengine.config import Config

    get_cfg_path, get_config = Config._get_cfg_path, hub.get_config

    @functools.wraps(get_cfg_path)
    def path_of_base(cfg_path, filename):
        return (own_path(cfg_path), None) if cfg_path.startswith(PREFIX) else (
            get_cfg_path(cfg_path, filename))

    @functools.wraps(get_config)
    def config_of(cfg_path, pretrained=False):
        if not cfg_path.startswith(PREFIX):
            return get_config(cfg_path, pretrained)
        if pretrained:
            raise UserError(f'{cfg_path}: there are no weights to download; leave pretrained out.')
        return Config.fromfile(own_path(cfg_path))

    Config._get_cfg_path = staticmethod(path_of_base)
    rebind('mmengine', get_config, config_of)


def own_path(name: str) -> str:
    """The file of ``egscit_mm::egscit/NAME.py``.

    Raises:
        MissingFileError: If there is none.
    """
    folder = packaged_folder('configs')
    path = folder and folder / name.removeprefix(PREFIX)
    if path is None or not path.is_file():
        raise MissingFileError(f'{name}: there is no file {path or "configs/ of egscit_mm"}; '
                               'configs/egscit/README.md names them all.')
    return str(path)
