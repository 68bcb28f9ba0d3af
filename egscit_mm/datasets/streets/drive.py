# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Drives: films of a camera that goes ahead through a street."""
from collections.abc import Iterator

import numpy as np

from .pictures import paint
from .scene import draw_scene
from .style import Style


def paint_drive(seed: str, style: Style, size: tuple[int, int], frames: int,
                step: float = 0.1) -> Iterator[np.ndarray]:
    """Paint the frames of a drive.

    Args:
        seed (str): Chooses the street, as for :func:`draw_scene`.
        style (Style): How all frames are painted.
        size (tuple[int, int]): Height H and width W = 2 H in pixels.
        frames (int): How many.
        step (float): Metres from one frame to the next. Defaults to 0.1: 2.5 m a second at 25
            frames, a walk.

    Yields:
        np.ndarray: RGB, uint8 (H, W, 3).
    """
    for number in range(frames):
        (picture, ), _ = paint(draw_scene(seed, ahead=number * step), [style], size)
        yield picture
