# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Registers MMSegmentation's parts, for configs/egscit/segmentation; an optional extra.

Listed in their ``custom_imports``, so that a missing package is named before anything is built.

Raises:
    ImportError: Naming what cannot be imported and the command to type.
"""
try:
    from mmseg.utils import register_all_modules
    register_all_modules(init_default_scope=False)
except ImportError as error:
    raise ImportError(
        f'The segmentation configs need MMSegmentation, which cannot be imported ({error}): '
        'pip install -c requirements/constraints.txt -e ".[segmentation]"') from error
