# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Libraries that only some metrics need."""
import importlib
from types import ModuleType

from ..utils.errors import MissingPackageError


def import_optional(name: str) -> ModuleType:
    """Import a module of an optional library.

    Raises:
        ModuleNotFoundError: If the library is not installed; says what to type.
    """
    library = name.partition('.')[0]
    try:
        importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise MissingPackageError(
            f'This metric needs {library}, which is not installed. Type '
            'pip install "egscit_mm[evaluation]", or, in a checkout, pip install ".[evaluation]".',
            name=library) from error
    return importlib.import_module(name)
