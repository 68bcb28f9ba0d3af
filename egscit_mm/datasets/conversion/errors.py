# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What a converter leaves out on purpose."""


class LeftOutError(Exception):
    """One input that is left out on purpose, such as a frame known to be inconsistent."""
