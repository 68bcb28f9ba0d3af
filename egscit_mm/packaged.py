# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Where configs and tools lie: in a wheel inside the package, else beside it."""
from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def packaged_folder(name: str) -> Path | None:
    """The folder ``configs`` or ``tools``.

    A wheel carries them in .mim, where OpenMMLab's ``mim`` looks for them. None in a mere copy of
    the package's folder, which has none of them.
    """
    folders = (_PACKAGE / '.mim' / name, _PACKAGE.parent / name)
    return next((folder for folder in folders if folder.is_dir()), None)
