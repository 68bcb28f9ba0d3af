# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Libraries that only some metrics need."""
import importlib
from types import ModuleType

from ..utils.errors import check_packages


def import_optional(name: str) -> ModuleType:
    """Import a module of an optional library.

    Raises:
        ModuleNotFoundError: If the library is not installed; says what to type.
    """
    check_packages('This metric', [name.partition('.')[0]], 'evaluation')
    return importlib.import_module(name)
