# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""How much a translated film flickers where its content does not."""
from typing import Iterable, NamedTuple, Tuple

import cv2
import numpy as np

from ...utils.errors import UserError

_SMALLEST = 12  # pixels: DIS takes no smaller images


class Flicker(NamedTuple):
    """Result of :func:`flicker`.

    Args:
        error (float): Mean warping error of two frames in a row, in grey levels, 0..255.
        share (float): Of the pixels that it is the mean of, 0..1.
        pairs (int): Number of pairs of frames.
    """

    error: float
    share: float
    pairs: int


def flicker(contents: Iterable[np.ndarray], translations: Iterable[np.ndarray]) -> Flicker:
    """Warping error of a film (Lai et al., ECCV 2018), not squared: mean |T_t - warp(T_{t-1})|.

    The flow is that of the content, by OpenCV's DIS (Kroeger et al., ECCV 2016). Only pixels count
    whose flow there and back agree: what is uncovered has no counterpart. One pair of frames is in
    memory at a time.

    Args:
        contents (Iterable[np.ndarray]): Frames of the content film, RGB, uint8, (H, W, 3), at least
            12 x 12.
        translations (Iterable[np.ndarray]): Frames of the translated one, of the same size. The
            contents again give the error of the film itself.

    Raises:
        UserError: If a frame is too small or of another size, or there is no pair of frames.

    Examples:
        >>> content = np.random.RandomState(0).randint(0, 255, (16, 16, 3), np.uint8)
        >>> dark, bright = (np.full((16, 16, 3), grey, np.uint8) for grey in (100, 108))
        >>> flicker([content, content], [dark, bright]).error
        8.0
    """
    total = pixels = counted = 0.
    pairs, last = 0, None
    for content, translation in zip(contents, translations):
        if content.shape != translation.shape or min(content.shape[:2]) < _SMALLEST:
            raise UserError('Flicker needs frames of one size, at least '
                            f'{_SMALLEST} x {_SMALLEST}, but got a content {content.shape} and '
                            f'a translation {translation.shape}')
        if last is not None:
            flow, agrees = consistent_flow(content, last[0])
            if agrees.any():
                difference = np.abs(translation.astype(np.float32) - warp(last[1], flow))
                total += float(difference[agrees].mean(-1, dtype=np.float64).sum())
            counted += int(agrees.sum())
            pixels += agrees.size
            pairs += 1
        last = content, translation
    if not counted:
        raise UserError('Flicker needs two frames that show the same thing: got '
                        f'{pairs} pairs of frames without a common pixel')
    return Flicker(total / counted, counted / pixels, pairs)


def consistent_flow(frame: np.ndarray, other: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Where each pixel of a frame comes from in another one, and whether that is certain.

    Args:
        frame (np.ndarray): RGB, uint8, (H, W, 3).
        other (np.ndarray): The same.

    Returns:
        tuple[np.ndarray, np.ndarray]: Displacements x, y in pixels, float32 (H, W, 2), and bool
        (H, W): whether the way back ends where it began, by the bound of Sundaram et al. (ECCV
        2010): |there + back|² <= 0.01 (|there|² + |back|²) + 0.5, inside the other frame.
    """
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (frame, other)]
    there = _flow(*greys)
    back = warp(_flow(*greys[::-1]), there)
    height, width = there.shape[:2]
    x, y = np.moveaxis(_places(there), -1, 0)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    gap = np.square(there + back).sum(-1)
    bound = 0.01 * (np.square(there).sum(-1) + np.square(back).sum(-1)) + 0.5
    return there, inside & (gap <= bound)


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Takes every pixel from where the flow says: float32, (H, W, C), bilinear."""
    return cv2.remap(image.astype(np.float32), _places(flow), None, cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)


def _flow(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(frame, other, None)


def _places(flow: np.ndarray) -> np.ndarray:
    height, width = flow.shape[:2]
    return flow + np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
