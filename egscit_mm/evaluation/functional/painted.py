# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Shape and colours of translated digits, told apart.

The digit tasks paint strokes in flat colours on a flat background, so their ground truths say
which pixels are strokes and which colour belongs where. Shape and colours of a translation are
both read from its own strokes: the pixels that stand out from its own background. So neither a
right shape in wrong colours nor a wrong shape in right colours spoils the other's score.
"""
from typing import Tuple

import numpy as np

from ...utils.errors import UserError

# Colours that a ground truth may have: ten digits and their background.
MAX_COLOURS = 11
# Strokes stand out from their background by more grey levels than this, in some channel. MNIST's
# weakest contrast, a dark digit of MNIST-Multiple on black, is 76.
MIN_CONTRAST = 32


def stroke_iou(translation: np.ndarray, ground_truth: np.ndarray) -> float:
    """Intersection over union of the strokes, in whatever colours the translation has them.

    Args:
        translation (np.ndarray): RGB, uint8 (H, W, 3).
        ground_truth (np.ndarray): The same, painted in flat colours.

    Returns:
        float: In [0, 1]; 1 for the right shape, 0 for an image without strokes.

    Raises:
        ValueError: If the shapes differ or the ground truth is not painted in flat colours.

    Examples:
        >>> red_on_green = np.full((28, 28, 3), (0, 255, 0), np.uint8)
        >>> red_on_green[8:20, 12:16] = (255, 0, 0)
        >>> swapped = red_on_green[..., [1, 0, 2]]
        >>> stroke_iou(swapped, red_on_green)
        1.0
    """
    _, regions = _painted_regions(translation, ground_truth)
    _, strokes = _background_and_strokes(translation, regions)
    wanted = regions > 0
    return float((strokes & wanted).sum() / (strokes | wanted).sum())


def right_colours(translation: np.ndarray, ground_truth: np.ndarray,
                  tolerance: int) -> np.ndarray:
    """Which colours of the ground truth the translation has at their places.

    The background's colour is the median over the ground truth's background; a stroke colour is
    the median over the translation's own strokes inside the bounding box of the strokes that
    have this colour in the ground truth (on MNIST-Multiple: one digit). A colour is right if no
    channel is further off than ``tolerance`` and no other colour of the ground truth is nearer.

    Args:
        translation (np.ndarray): RGB, uint8 (H, W, 3).
        ground_truth (np.ndarray): The same, painted in flat colours.
        tolerance (int): In grey levels of 0..255.

    Returns:
        np.ndarray: Bool, one per colour of the ground truth, that of the background first.

    Raises:
        ValueError: If the shapes differ or the ground truth is not painted in flat colours.

    Examples:
        >>> red_on_green = np.full((28, 28, 3), (0, 255, 0), np.uint8)
        >>> red_on_green[8:20, 12:16] = (255, 0, 0)
        >>> blue_on_green = red_on_green.copy()
        >>> blue_on_green[8:20, 12:16] = (0, 0, 255)
        >>> right_colours(blue_on_green, red_on_green, tolerance=64).tolist()
        [True, False]
    """
    from scipy.ndimage import find_objects  # a third of a second that only this needs

    colours, regions = _painted_regions(translation, ground_truth)
    background, strokes = _background_and_strokes(translation, regions)
    found = [background]
    for box in find_objects(regions):
        inside = translation[box][strokes[box]]
        # Where there is no stroke the colour is none: as far off as can be from all.
        found.append(np.median(inside, axis=0) if len(inside) else np.full(3, np.inf))
    distances = np.abs(np.array(found)[:, None] - colours).max(axis=-1)
    own = distances.diagonal()
    return (own <= tolerance) & (own == distances.min(axis=1))


def stroke_hues(image: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """Colours of an image less their brightness, where the ground truth has strokes.

    Args:
        image (np.ndarray): RGB, uint8 (H, W, 3): a translation or the ground truth itself.
        ground_truth (np.ndarray): The same, painted in flat colours.

    Returns:
        np.ndarray: float64 (N, 3), a row for each pixel of a stroke: RGB less the mean of the
        three; 0 for black, white and grey.

    Raises:
        ValueError: If the shapes differ or the ground truth is not painted in flat colours.

    Examples:
        >>> red_on_green = np.full((28, 28, 3), (0, 255, 0), np.uint8)
        >>> red_on_green[8:20, 12:16] = (255, 0, 0)
        >>> stroke_hues(red_on_green, red_on_green)[0].tolist()
        [170.0, -85.0, -85.0]
    """
    _, regions = _painted_regions(image, ground_truth)
    strokes = image[regions > 0].astype(np.float64)
    return strokes - strokes.mean(axis=1, keepdims=True)


def _painted_regions(translation: np.ndarray,
                     ground_truth: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Colours (K, 3) of a painting, and which of them a pixel has (H, W); 0 is the background."""
    if translation.shape != ground_truth.shape:
        raise UserError(f'translation and ground truth must have the same shape, but have '
                        f'{translation.shape} and {ground_truth.shape}')
    codes = ground_truth.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    _, first, regions = np.unique(codes, return_index=True, return_inverse=True)
    if not 2 <= len(first) <= MAX_COLOURS:
        raise UserError(
            f'the ground truth has {len(first)} colours, but 2 to {MAX_COLOURS} were expected: '
            'strokes painted in flat colours on a flat background, in a file without losses (the '
            'digit tasks). Leave StyleAccuracy, ContentAccuracy and HueCorrelation away for other '
            'images')
    regions = regions.reshape(codes.shape)
    border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    background = np.bincount(border).argmax()
    order = np.argsort(np.arange(len(first)) != background, kind='stable')
    return ground_truth.reshape(-1, 3)[first[order]], np.argsort(order)[regions]


def _background_and_strokes(image: np.ndarray,
                            regions: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Colour (3,) of an image's background, and the mask (H, W) of what stands out from it."""
    from skimage.filters import threshold_otsu

    background = np.median(image[regions == 0], axis=0)
    contrast = np.abs(image - background).max(axis=-1).astype(np.uint8)
    return background, contrast > max(threshold_otsu(contrast), MIN_CONTRAST)
