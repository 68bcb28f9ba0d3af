# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Reading configs, and what is wrong with one, said before anything is built from it."""
from .check import check_config
from .names import ConfigError
from .place import naming_the_setting
from .read import merge_options, read_config, stage1_path

__all__ = ['ConfigError', 'check_config', 'merge_options', 'naming_the_setting', 'read_config',
           'stage1_path']
