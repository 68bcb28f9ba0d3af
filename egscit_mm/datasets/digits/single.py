# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Pictures of the MNIST-Single task: binarised digits or letters painted in two colours.

Everything here is a pure function of its arguments; files are written by
``tools/dataset_converters/mnist.py``.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np

DIGIT_SIZE = 28  # pixels per side, as in MNIST
THRESHOLD = 127.5  # grey value in 0..255

COLOURS = dict(
    black=(0, 0, 0),
    white=(255, 255, 255),
    red=(255, 0, 0),
    green=(0, 255, 0),
    blue=(0, 0, 255),
)


class Style(NamedTuple):
    """The two colours of a picture, as RGB triples in 0..255."""

    foreground: tuple[int, int, int]
    background: tuple[int, int, int]


def _styles(*colour_names: str) -> dict[str, Style]:
    return {
        f'{foreground}_on_{background}': Style(COLOURS[foreground], COLOURS[background])
        for foreground, background in permutations(colour_names, 2)
    }


# All styles of each domain by name: two for A, the six ordered pairs for B.
STYLES: dict[str, dict[str, Style]] = dict(
    A=_styles('black', 'white'),
    B=_styles('red', 'green', 'blue'),
)

# The bias of domain B's training set: digits 5-9 are seen in this style only.
BIASED_STYLE = 'red_on_green'
FIRST_BIASED_DIGIT = 5


def binarize(digit: np.ndarray) -> np.ndarray:
    """Separate the strokes of a grey digit, brighter than :data:`THRESHOLD`, from its background.

    Args:
        digit (np.ndarray): Grey image, uint8 (H, W), bright strokes on dark.

    Returns:
        np.ndarray: Foreground mask, bool (H, W).

    Raises:
        ValueError: If ``digit`` is not a two-dimensional uint8 array.

    Examples:
        >>> binarize(np.array([[0, 127], [128, 255]], np.uint8))
        array([[False, False],
               [ True,  True]])
    """
    if digit.ndim != 2 or digit.dtype != np.uint8:
        raise ValueError(
            f'a digit must be a uint8 array of shape (H, W), got {digit.dtype} {digit.shape}')
    return digit > THRESHOLD


def paint(foreground_mask: np.ndarray, style: Style) -> np.ndarray:
    """Paint a mask in the two colours of a style.

    Args:
        foreground_mask (np.ndarray): Bool (H, W), true on the strokes.
        style (Style): Foreground and background colour, RGB in 0..255.

    Returns:
        np.ndarray: RGB image, uint8 (H, W, 3).

    Raises:
        ValueError: If ``foreground_mask`` is not a two-dimensional bool array.

    Examples:
        >>> paint(np.array([[True, False]]), STYLES['B']['red_on_green'])
        array([[[255,   0,   0],
                [  0, 255,   0]]], dtype=uint8)
    """
    if foreground_mask.ndim != 2 or foreground_mask.dtype != bool:
        raise ValueError('foreground_mask must be a bool array of shape (H, W), got '
                         f'{foreground_mask.dtype} {foreground_mask.shape}')
    # Row 0 of the palette is the background (False), row 1 the foreground (True).
    palette = np.array([style.background, style.foreground], dtype=np.uint8)
    return palette[foreground_mask.astype(np.intp)]


def draw_style(domain: str, label: int, split: str, rng: np.random.RandomState) -> str:
    """Draw the style of one picture of MNIST-Single (paper, Sec. 4).

    Domain A takes its two styles with equal probability. Domain B takes its six styles
    with equal probability, except for the digits 5-9 of the training set, which are always
    red on green: the test set shows them in styles never seen with these digits.

    Args:
        domain (str): 'A' or 'B'.
        label (int): The digit, 0..9, or in the test set a letter, 1..26.
        split (str): 'train' or 'test'.
        rng (np.random.RandomState): Source of randomness.

    Returns:
        str: Name of the style, a key of ``STYLES[domain]``.

    Raises:
        ValueError: If ``domain`` or ``split`` is unknown.

    Examples:
        >>> draw_style('B', 7, 'train', np.random.RandomState(0))
        'red_on_green'
    """
    if domain not in STYLES:
        raise ValueError(f'unknown domain {domain!r}: expected one of {sorted(STYLES)}')
    if split not in ('train', 'test'):
        raise ValueError(f"unknown split {split!r}: expected 'train' or 'test'")
    if domain == 'B' and split == 'train' and label >= FIRST_BIASED_DIGIT:
        return BIASED_STYLE
    names = list(STYLES[domain])
    return names[rng.randint(len(names))]
