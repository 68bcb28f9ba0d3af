# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .grid import contact_sheet, exemplar_grid, image_grid

__all__ = ['contact_sheet', 'exemplar_grid', 'image_grid']
