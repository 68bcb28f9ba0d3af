# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""How many pixels have the right colour."""
from typing import List, Sequence

import numpy as np

from ...utils.errors import UserError


def pixel_accuracy(image: np.ndarray, reference: np.ndarray,
                   thresholds: Sequence[int]) -> List[float]:
    """Share of the pixels whose colour is right.

    Args:
        image (np.ndarray): HxWxC, uint8.
        reference (np.ndarray): Same shape and type. The two may change places.
        thresholds (Sequence[int]): Differences, in grey levels of 0..255. A pixel is right if no
            channel differs by more.

    Returns:
        list[float]: By threshold, in [0, 1]; 1 for identical images.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> reference = np.zeros((2, 2, 3), np.uint8)
        >>> image = reference.copy()
        >>> image[0, 0] = 20
        >>> pixel_accuracy(image, reference, thresholds=[8, 32])
        [0.75, 1.0]
    """
    if image.shape != reference.shape:
        raise UserError(f'pixel accuracy needs two images of the same shape, but got '
                        f'{image.shape} and {reference.shape}')
    # Not of uint8, which would wrap around.
    difference = np.abs(image.astype(np.int16) - reference).max(axis=-1)
    return [float(np.mean(difference <= threshold)) for threshold in thresholds]
