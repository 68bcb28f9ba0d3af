# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .grid import image_grid

__all__ = ['image_grid']
