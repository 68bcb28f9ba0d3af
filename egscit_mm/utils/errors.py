# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which errors are sentences for the user, and which are mistakes in the program."""
import dis
import os
import re
from typing import Optional, Union

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_KINDS = (FloatingPointError, ImportError, RuntimeError, ValueError)


class ConversionError(ValueError):
    """Stops a conversion or a translation of files; the message is for the user."""


class BadInputError(ValueError):
    """One input that cannot be used; what works on many goes on without it."""


def check_file(path: Union[str, os.PathLike], what: str) -> None:
    """Refuses a path that leads to no file.

    Args:
        path (str | PathLike): The path.
        what (str): What the file should be, for the message.

    Raises:
        FileNotFoundError: If it does not exist or is a folder.
    """
    if not os.path.isfile(path):
        found = 'is a folder' if os.path.isdir(path) else 'does not exist'
        raise FileNotFoundError(f'{what} {os.fspath(path)!r} {found}.')


def sentence_for_the_user(error: Exception) -> Optional[str]:
    """What a command line should say instead of a traceback; None where that is needed.

    An error is for the user if a ``raise`` of this package made it, also in a worker of a
    DataLoader, or if a file is missing or cannot be read or written. All others may be mistakes in
    the program.

    Args:
        error (Exception): What ended the program.
    """
    if isinstance(error, OSError) and error.filename is not None:
        return f'{error.strerror}: {error.filename}'
    if isinstance(error, FileNotFoundError):
        return str(error)
    if not isinstance(error, _KINDS):
        return None
    # PyTorch hands on an error of a worker process as the text of its traceback.
    in_worker = re.fullmatch(r'Caught (\w+) in DataLoader worker.*?File "([^"\n]+)", line \d+, in '
                             r'[^"]*\n\1: (.*?)\n?', str(error), re.DOTALL)
    if in_worker:
        files = re.findall(r'File "([^"\n]+)", line', str(error))
        return in_worker[3] if files[-1].startswith(_PACKAGE) else None
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    is_raise = dis.opname[code.co_code[trace.tb_lasti]] == 'RAISE_VARARGS'
    return str(error) if is_raise and code.co_filename.startswith(_PACKAGE) else None
