# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Files of MMEngine that are written all or nothing."""
from __future__ import annotations

import functools
from collections.abc import Callable

from ..utils.files import atomic_path
from .patching import once


@once
def write_files_atomically() -> None:
    """Write checkpoints (and all else that goes through mmengine's LocalBackend) all or nothing.

    Symptom (mmengine 0.10.7): a training that is killed, or whose disk is full, while it saves
    leaves a cut off ``iter_N.pth``, over a good file of that name too.

    See :func:`egscit_mm.utils.files.atomic_path`.
    """
    from mmengine.fileio import LocalBackend

    for name in ('put', 'put_text'):
        setattr(LocalBackend, name, _atomic(getattr(LocalBackend, name)))


def _atomic(write: Callable) -> Callable:

    @functools.wraps(write)
    def write_atomically(self, obj, filepath, *args, **kwargs):
        with atomic_path(filepath) as temporary:
            write(self, obj, temporary, *args, **kwargs)

    return write_atomically
