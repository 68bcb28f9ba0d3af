# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""From shapes to pixels: which shape each pixel shows, where shadows lie and lamps shine."""
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np

from .labels import CATEGORY_OF_KIND, KINDS
from .scene import Polygon, Scene

FINER = 2  # times as many rows and columns of shapes as of pixels, against ragged edges

_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_CATEGORIES = np.array(list(CATEGORY_OF_KIND.values()), np.uint8)


class Raster(NamedTuple):
    """A scene in pixels.

    Args:
        shapes (np.ndarray): Place in ``Scene.shapes`` of what is seen, uint8 (2H, 2W).
        kinds (np.ndarray): Of each shape, its place in ``KINDS``, int (N,).
        depths (np.ndarray): Of each shape, metres, float32 (N,).
        tones (np.ndarray): Of each shape, 0..1, float32 (N,).
        lights (np.ndarray): Of each shape, how far it faces the sun, 0..1, float32 (N,).
        shadows (np.ndarray): 255 where the ground is in the shadow, uint8 (H, W).
    """

    shapes: np.ndarray
    kinds: np.ndarray
    depths: np.ndarray
    tones: np.ndarray
    lights: np.ndarray
    shadows: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The category of each pixel's centre, 0..7, uint8 (H, W)."""
        table = np.zeros(256, np.uint8)
        table[:len(self.kinds)] = _CATEGORIES[self.kinds]
        return cv2.LUT(self.shapes[1::FINER, 1::FINER], table)


def rasterise(scene: Scene, size: tuple[int, int]) -> Raster:
    """Draw a scene's shapes.

    Args:
        scene (Scene): The scene.
        size (tuple[int, int]): Height H and width W of the picture in pixels, W = 2 H.

    Returns:
        Raster: The pixels.
    """
    height, width = size
    shapes = np.zeros((FINER * height, FINER * width), np.uint8)
    polygons = iter(_pixels(
        [polygon for shape in scene.shapes for polygon in shape.polygons], FINER * height))
    for number, shape in enumerate(scene.shapes):
        cv2.fillPoly(shapes, [next(polygons) for _ in shape.polygons], number)
    shadows = np.zeros(size, np.uint8)
    for polygon in _pixels(scene.shadows, height):
        cv2.fillPoly(shadows, [polygon], 255, cv2.LINE_AA)
    rows = [(_NUMBER[shape.kind], shape.depth, shape.tone, shape.light) for shape in scene.shapes]
    kinds, *others = np.array(rows, np.float32).T
    return Raster(shapes, kinds.astype(np.intp), *others, shadows)


def _pixels(polygons: list[Polygon], height: int) -> list[np.ndarray]:
    """Polygons in pixels, each int32 (N, 2)."""
    corners = np.fromiter(chain.from_iterable(chain.from_iterable(polygons)), np.float32)
    corners = (corners.reshape(-1, 2) * height).clip(-8 * height, 8 * height).astype(np.int32)
    found, start = [], 0
    for polygon in polygons:
        found.append(corners[start:start + len(polygon)])
        start += len(polygon)
    return found
