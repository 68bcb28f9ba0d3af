# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Colour transfer without a network, to compare translations with."""
import cv2
import numpy as np


def match_lab_statistics(content: np.ndarray, exemplar: np.ndarray) -> np.ndarray:
    """Give an image the mean and the standard deviation of another, channel by channel, in Lab.

    The statistics of Reinhard et al., "Color Transfer between Images" (2001), who matched them in
    their l-alpha-beta space; here it is OpenCV's CIE Lab. Every region gets the same transfer.

    Args:
        content (np.ndarray): RGB, uint8 (H, W, 3).
        exemplar (np.ndarray): RGB, uint8, of any size.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3); what lies beyond its range is clipped.

    Examples:
        >>> grey = np.full((4, 4, 3), 100, np.uint8)
        >>> red = np.full((2, 2, 3), (200, 0, 0), np.uint8)
        >>> match_lab_statistics(grey, red)[0, 0].tolist()
        [200, 0, 0]
    """
    lab, other = (cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
                  for image in (content, exemplar))
    mean, std = lab.mean((0, 1)), lab.std((0, 1))
    matched = (lab - mean) * (other.std((0, 1)) / np.maximum(std, 1e-6)) + other.mean((0, 1))
    rgb = cv2.cvtColor(matched.astype(np.float32), cv2.COLOR_LAB2RGB)
    return (255 * rgb.clip(0, 1)).round().astype(np.uint8)
