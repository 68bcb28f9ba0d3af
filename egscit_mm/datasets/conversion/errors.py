# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""How a conversion ends, and what it leaves out on purpose."""
from ...utils.errors import UserError


class ConversionError(UserError):
    """Stops a conversion; the message is for the user."""


class LeftOutError(Exception):
    """One input that is left out on purpose, such as a frame known to be inconsistent."""
