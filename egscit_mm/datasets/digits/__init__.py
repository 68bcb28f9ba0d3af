# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The digit tasks: MNIST-Single, with letters too, and MNIST-Multiple.

:mod:`.single` and :mod:`.multiple` paint a picture, :mod:`.characters` reads what is painted,
:mod:`.pictures` plans a whole data set and paints each picture.
"""
from .multiple import (
    NUM_DIGITS,
    PICTURE_SIZE,
    Palette,
    draw_cells,
    draw_palette,
    paint_multiple,
)
from .single import COLOURS, DIGIT_SIZE, STYLES, Style, binarize, draw_style, paint

__all__ = [
    'COLOURS', 'DIGIT_SIZE', 'NUM_DIGITS', 'PICTURE_SIZE', 'STYLES', 'Palette', 'Style', 'binarize',
    'draw_cells', 'draw_palette', 'draw_style', 'paint', 'paint_multiple'
]
