# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Painted streets: scenes of many classes in two domains, whose exact translation is known.

:mod:`.scene` draws what there is, :mod:`.style` how it is seen, :mod:`.raster` makes pixels of the
shapes. :mod:`.game` and :mod:`.camera` paint domains A and B with what :mod:`.painter` has for
both. :mod:`.pictures` plans a whole data set and writes it, and paints films.
"""
from .labels import CATEGORIES
from .pictures import SIZES, paint, paint_drive
from .scene import Scene, draw_scene
from .style import DOMAINS, TIMES, WEATHERS, Style, draw_style

__all__ = [
    'CATEGORIES', 'DOMAINS', 'SIZES', 'TIMES', 'WEATHERS', 'Scene', 'Style', 'draw_scene',
    'draw_style', 'paint', 'paint_drive'
]
