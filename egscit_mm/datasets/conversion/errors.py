# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The errors of a conversion: what stops all of it, and what concerns one input."""


class ConversionError(Exception):
    """Stops a conversion; the message is for the user."""


class BadInputError(Exception):
    """One input that cannot be used; the conversion goes on without it."""


class LeftOutError(Exception):
    """One input that is left out on purpose, such as a frame known to be inconsistent."""
