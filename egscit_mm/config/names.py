# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Names of settings, and the error that is about one."""
import difflib
import inspect
from typing import Iterable, Optional

from mmengine.runner import Runner

from ..utils.errors import UserError

# Keys at the top of a config that something reads; others are variables of its author.
NOT_OF_RUNNER = ('model_wrapper_cfg', 'custom_imports', 'stage1_config')
TOP_LEVEL = {*inspect.signature(Runner.__init__).parameters, *NOT_OF_RUNNER} - {'self', 'cfg'}


class ConfigError(UserError):
    """A config that does not work; the message names file, setting and remedy."""


def closest(name: str, known: Iterable[str], cutoff: float = 0.7) -> Optional[str]:
    """The known name that is most like another; None if none is.

    Examples:
        >>> closest('etta', ['eta', 'adain'])
        'eta'
    """
    return next(iter(difflib.get_close_matches(name, known, 1, cutoff)), None)
