# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Files of MMEngine that are written all or nothing."""
from __future__ import annotations

import contextlib
import functools
import os
import os.path as osp
from collections.abc import Callable

from .patching import once


@once
def write_files_atomically() -> None:
    """Write checkpoints (and all else that goes through mmengine's LocalBackend) all or nothing.

    Symptom (mmengine 0.10.7): a training that is killed, or whose disk is full, while it saves
    leaves a cut off ``iter_N.pth``, over a good file of that name too.

    The file is written beside its place as ``NAME.PID.tmp``, flushed to the disk and renamed; on
    an error the temporary file is removed. Devices and pipes are written to as before.
    """
    from mmengine.fileio import LocalBackend

    for name in ('put', 'put_text'):
        setattr(LocalBackend, name, _atomic(getattr(LocalBackend, name)))


def _atomic(write: Callable) -> Callable:

    @functools.wraps(write)
    def write_atomically(self, obj, filepath, *args, **kwargs):
        path = osp.realpath(filepath)  # a link stays, the file that it points to is replaced
        if osp.exists(path) and not osp.isfile(path):
            return write(self, obj, filepath, *args, **kwargs)
        temporary = f'{path}.{os.getpid()}.tmp'
        try:
            write(self, obj, temporary, *args, **kwargs)
            with open(temporary, 'rb+') as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException as error:  # Ctrl-C as well
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            if isinstance(error, OSError) and error.errno is not None:
                error.filename = filepath  # a full disk names none
            raise

    return write_atomically
