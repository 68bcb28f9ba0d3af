# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the cures share."""
from __future__ import annotations

import functools
import sys
from typing import Any

# functools.cache came with the Python version that check_versions has to be able to ask for.
once = functools.lru_cache(maxsize=None)  # noqa: UP033


def rebind(package: str, old: Any, new: Any) -> None:
    """Replace ``old`` in every imported module of ``package`` that holds it under some name."""
    for module_name, module in list(sys.modules.items()):
        if module_name.split('.')[0] == package:
            for name, value in list(vars(module).items()):
                if value is old:
                    setattr(module, name, new)
