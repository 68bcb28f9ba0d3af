# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Errors that are sentences for the user; all others may be mistakes in the program."""
import importlib.util
import os
from typing import Optional, Sequence, Union


class UserError(ValueError):
    """What the user can put right: a setting, a file, an argument. The message says how.

    It comes out of a worker of a DataLoader as it went in: PyTorch makes a new error of the same
    class there, from the text of the worker's traceback, which ends with the message. Classes that
    have a ``message`` get the text as a keyword.

    Args:
        *args: The message.
        message (str | None): The text of a traceback, from PyTorch.
    """

    message = property(str)

    def __init__(self, *args, message: Optional[str] = None) -> None:
        if message is not None:
            name = f'{type(self).__module__}.{type(self).__qualname__}: '
            args = (message.rpartition(name)[2].strip(), )
        super().__init__(*args)


class BadInputError(UserError):
    """One input that cannot be used; what works on many goes on without it."""


class RunError(UserError, RuntimeError):
    """What shows while the program runs, such as a file that cannot be read as a checkpoint."""


class NonFiniteError(UserError, FloatingPointError):
    """A training whose losses or weights are not finite, or pixels that are optimised."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder that is not there, and what to do about it."""


class UnwritableError(UserError, OSError):
    """A file that cannot be written, and what to do; its other attributes are those of OSError."""

    __str__ = Exception.__str__


class MissingPackageError(UserError, ModuleNotFoundError):
    """A package that is not installed, and the command to type.

    Args:
        *args: The message.
        name (str | None): The package.
        message (str | None): As for UserError.
    """

    def __init__(self, *args, name: Optional[str] = None, message: Optional[str] = None) -> None:
        super().__init__(*args, message=message)
        self.name = name


def check_file(path: Union[str, os.PathLike], what: str) -> None:
    """Refuses a path that leads to no file.

    Raises:
        MissingFileError: If it does not exist or is a folder.
    """
    if not os.path.isfile(path):
        found = 'is a folder' if os.path.isdir(path) else 'does not exist'
        raise MissingFileError(f'{what} {os.fspath(path)!r} {found}.')


def check_packages(what: str, names: Sequence[str], extra: str) -> None:
    """Refuses to begin without packages that are not part of a plain installation.

    Args:
        what (str): What needs them, the beginning of the error.
        names (Sequence[str]): Of their modules.
        extra (str): The extra of ``setup.py`` that has them.

    Raises:
        MissingPackageError: Naming those that are missing, and what to type.
    """
    if missing := [name for name in names if importlib.util.find_spec(name) is None]:
        raise MissingPackageError(
            f'{what} needs {", ".join(missing)}, not installed here: type pip install '
            f'"egscit_mm[{extra}]" or, in a checkout, pip install -c requirements/constraints.txt '
            f'-e ".[{extra}]"', name=missing[0])


def sentence_for_the_user(error: Exception) -> Optional[str]:
    """What a command line should say instead of a traceback; None where that is needed."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f'{error.strerror}: {error.filename}'
    return None
