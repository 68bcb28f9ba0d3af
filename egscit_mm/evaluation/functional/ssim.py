# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Structural similarity as the paper's tables use it."""
import numpy as np

from ...utils.errors import UserError

# The side of the uniform window behind the paper's figures (MMagic's SSIM has an 11x11 Gaussian).
WINDOW = 7


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity of two images, averaged over positions and channels.

    scikit-image's implementation with the settings behind the paper's Tables 2, 4 and 5: uniform
    7x7 window, sample covariance, data range 255, only windows that lie wholly inside the image.

    Args:
        image (np.ndarray): HxWxC, uint8, H and W at least 7.
        reference (np.ndarray): Same shape and type. The two may change places.

    Returns:
        float: In [-1, 1]; 1 for identical images.

    Raises:
        TypeError: If an image is not uint8.
        ValueError: If an image is not HxWxC or is smaller than the window, or the shapes differ.

    Examples:
        >>> image = np.zeros((28, 28, 3), np.uint8)
        >>> ssim(image, image)
        1.0
        >>> round(ssim(image, image + 255), 4)
        0.0001
    """
    from skimage.metrics import structural_similarity  # imports SciPy, a third of a second

    for array in (image, reference):
        if array.dtype != np.uint8:
            raise TypeError(
                f'SSIM is computed on uint8 images (0..255), but got {array.dtype}: round and '
                'clip the image first.')
        if array.ndim != 3 or min(array.shape[:2]) < WINDOW:
            raise UserError(
                f'SSIM with a {WINDOW}x{WINDOW} window needs images of shape (H, W, C) with H and '
                f'W at least {WINDOW}, but got {array.shape}.')
    if image.shape != reference.shape:
        raise UserError(
            f'SSIM needs two images of the same shape, but got {image.shape} and '
            f'{reference.shape}: resize them in the test pipeline.')
    return float(
        structural_similarity(
            image, reference, win_size=WINDOW, data_range=255, channel_axis=-1))
