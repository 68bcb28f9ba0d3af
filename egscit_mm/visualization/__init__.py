# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .atomic_vis_backend import AtomicVisBackend
from .grid import contact_sheet, exemplar_grid, image_grid

__all__ = ['AtomicVisBackend', 'contact_sheet', 'exemplar_grid', 'image_grid']
