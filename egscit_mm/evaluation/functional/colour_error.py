# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Colours of the classes of a scene."""
import numpy as np

from ...utils.errors import UserError


def class_colour_errors(image: np.ndarray, reference: np.ndarray, labels: np.ndarray,
                        num_classes: int) -> np.ndarray:
    """How far the mean colour of every class is from that in a reference.

    The mean is over the pixels of the class, so noise and moved details do not count.

    Args:
        image (np.ndarray): uint8 (H, W, 3).
        reference (np.ndarray): The same. The two may change places.
        labels (np.ndarray): Class of each pixel, (H, W), 0 to num_classes - 1.
        num_classes (int): Number of classes.

    Returns:
        np.ndarray: (num_classes,), the absolute difference of the two mean colours, averaged over
        the channels, 0..255; NaN for a class without a pixel.

    Raises:
        ValueError: If the shapes differ or a label is no class.

    Examples:
        >>> sky_over_road = np.array([[1], [0]])
        >>> image = np.array([[[0, 0, 90]], [[50, 50, 50]]], np.uint8)
        >>> class_colour_errors(image, np.zeros_like(image), sky_over_road, 3)
        array([50., 30., nan])
    """
    if not image.shape == reference.shape == (*labels.shape, 3):
        raise UserError(f'image, reference and labels must be of one size, but have the shapes '
                        f'{image.shape}, {reference.shape} and {labels.shape}')
    if labels.max() >= num_classes:
        raise UserError(f'the label {labels.max()} is none of the classes 0 to {num_classes - 1}')
    pixels = np.bincount(labels.ravel(), minlength=num_classes)
    difference = image.astype(np.float64) - reference
    sums = np.stack([np.bincount(labels.ravel(), channel.ravel(), num_classes)
                     for channel in np.moveaxis(difference, -1, 0)])
    means = np.abs(sums / np.maximum(pixels, 1)).mean(0)
    return np.where(pixels > 0, means, np.nan)
