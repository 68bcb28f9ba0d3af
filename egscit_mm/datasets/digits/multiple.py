# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Pictures of the MNIST-Multiple task: all ten digits in the cells of a grid.

Everything here is a pure function of its arguments; files are written by
``tools/dataset_converters/mnist.py``.
"""

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .single import COLOURS, DIGIT_SIZE, STYLES

NUM_DIGITS = 10
GRID_SIZE = 4  # cells per side
PICTURE_SIZE = GRID_SIZE * DIGIT_SIZE  # pixels per side
# Domain B: saturation and value of a digit are each MEAN * U(1 - JITTER, 1 + JITTER).
MEAN, JITTER = 0.5, 0.4


class Palette(NamedTuple):
    """The colours of a picture, as RGB triples in 0..255.

    Args:
        background (tuple[int, int, int]): Colour of the ground.
        digits (tuple[tuple[int, int, int], ...]): The colour of digit k at place k, ten in all.
    """

    background: tuple[int, int, int]
    digits: tuple[tuple[int, int, int], ...]


def draw_cells(rng: np.random.RandomState) -> tuple[int, ...]:
    """Draw a distinct cell for each of the ten digits.

    Args:
        rng (np.random.RandomState): Source of randomness.

    Returns:
        tuple[int, ...]: The cell of digit k at place k, 0..15, row by row.
    """
    return tuple(rng.permutation(GRID_SIZE**2)[:NUM_DIGITS].tolist())


def draw_palette(domain: str, rng: np.random.RandomState) -> Palette:
    """Draw the colours of one picture of MNIST-Multiple (paper, Sec. 4).

    Domain A is black on white or white on black, with equal probability. In domain B the
    background is black or white, with equal probability, and digit k has the hue k / 10 and a
    saturation and a value drawn from U(0.3, 0.7).

    Args:
        domain (str): 'A' or 'B'.
        rng (np.random.RandomState): Source of randomness.

    Returns:
        Palette: The colours.

    Raises:
        ValueError: If ``domain`` is unknown.
    """
    if domain == 'A':
        styles = list(STYLES['A'].values())
        style = styles[rng.randint(len(styles))]
        return Palette(style.background, (style.foreground, ) * NUM_DIGITS)
    if domain == 'B':
        background = COLOURS[('black', 'white')[rng.randint(2)]]
        jitter = rng.uniform(1 - JITTER, 1 + JITTER, (NUM_DIGITS, 2))
        return Palette(background, tuple(
            tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(
                digit / NUM_DIGITS, MEAN * saturation, MEAN * value))
            for digit, (saturation, value) in enumerate(jitter.tolist())))
    raise ValueError(f"unknown domain {domain!r}: expected 'A' or 'B'")


def paint_multiple(foreground_masks: Sequence[np.ndarray], cells: Sequence[int],
                   palette: Palette) -> np.ndarray:
    """Paint the ten digits into their cells.

    Args:
        foreground_masks (Sequence[np.ndarray]): Ten bool (28, 28), true on the strokes; digit k
            at place k.
        cells (Sequence[int]): Ten distinct cells in 0..15, row by row; that of digit k at place k.
        palette (Palette): The colours.

    Returns:
        np.ndarray: RGB image, uint8 (112, 112, 3).

    Raises:
        ValueError: If there are not ten masks of this kind, ten distinct cells and ten colours.
    """
    masks = np.asarray(foreground_masks)
    if masks.shape != (NUM_DIGITS, DIGIT_SIZE, DIGIT_SIZE) or masks.dtype != bool:
        raise ValueError(f'foreground_masks must be bool of shape ({NUM_DIGITS}, {DIGIT_SIZE}, '
                         f'{DIGIT_SIZE}), got {masks.dtype} {masks.shape}')
    if len(set(cells)) != len(cells) or len(cells) != NUM_DIGITS or not (
            set(cells) <= set(range(GRID_SIZE**2))):
        raise ValueError(f'cells must be {NUM_DIGITS} distinct numbers in 0..{GRID_SIZE**2 - 1}, '
                         f'got {cells}')
    if len(palette.digits) != NUM_DIGITS:
        raise ValueError(f'a palette must have {NUM_DIGITS} digit colours, got '
                         f'{len(palette.digits)}')
    image = np.full((PICTURE_SIZE, PICTURE_SIZE, 3), palette.background, np.uint8)
    for mask, cell, colour in zip(masks, cells, palette.digits, strict=True):
        row, column = (DIGIT_SIZE * index for index in divmod(cell, GRID_SIZE))
        image[row:row + DIGIT_SIZE, column:column + DIGIT_SIZE][mask] = colour
    return image
