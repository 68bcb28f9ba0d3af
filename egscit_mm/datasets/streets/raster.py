# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""From shapes to pixels: which shape each pixel shows, where shadows lie and lamps shine."""
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import cv2
import numpy as np

from .labels import CATEGORY_OF_KIND, KINDS
from .scene import NEAR, Camera, Polygon, Scene

FINER = 2  # times as many rows and columns of shapes as of pixels, against ragged edges

_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_CATEGORIES = np.array(list(CATEGORY_OF_KIND.values()), np.uint8)


class Raster(NamedTuple):
    """A scene in pixels.

    Args:
        shapes (np.ndarray): Number of the shape that is seen, backdrop first, uint8 (2H, 2W).
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
    shapes = scene.backdrop + scene.shapes
    polygons = chain(*(
        _pixels([polygon for shape in some for polygon in shape.polygons], FINER * height, camera)
        for some, camera in ((scene.backdrop, None), (scene.shapes, scene.camera))))
    numbers = np.zeros((FINER * height, FINER * width), np.uint8)
    for number, shape in enumerate(shapes):
        cv2.fillPoly(numbers, [next(polygons) for _ in shape.polygons], number)
    shadows = np.zeros(size, np.uint8)
    for polygon in _pixels(scene.shadows, height, scene.camera):
        cv2.fillPoly(shadows, [polygon], 255, cv2.LINE_AA)
    kinds, depths, tones, lights = np.array(
        [(_NUMBER[shape.kind], shape.depth, shape.tone, shape.light) for shape in shapes]).T
    depths[len(scene.backdrop):] -= scene.camera.ahead
    return Raster(numbers, kinds.astype(np.intp), *(
        values.astype(np.float32) for values in (depths.clip(NEAR), tones, lights)), shadows)


def _pixels(polygons: list[Polygon], height: int, camera: Camera | None = None) -> list[np.ndarray]:
    """Polygons of a picture, or of the world as a camera sees it, in pixels, each int32 (N, 2)."""
    corners = np.fromiter(chain.from_iterable(chain.from_iterable(polygons)), np.float64)
    if camera:
        x, y, _ = camera(*corners.reshape(-1, 3).T)
        corners = np.stack([x, y], axis=-1)
    corners = corners.reshape(-1, 2).astype(np.float32) * height
    corners = corners.clip(-8 * height, 8 * height).astype(np.int32)
    ends = accumulate(map(len, polygons), initial=0)
    return [corners[start:end] for start, end in pairwise(ends)]
