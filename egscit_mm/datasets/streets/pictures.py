# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which streets a data set shows in which styles, painting them, and films of a drive."""
import random
from collections.abc import Iterator
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .camera import paint_camera
from .game import paint_game
from .raster import rasterise
from .scene import Scene, draw_scene
from .style import DOMAINS, Style, draw_style, held_out

SIZES = ((64, 128), (128, 256), (256, 512))  # height and width of the pictures
PAINTERS = dict(zip(DOMAINS, (paint_game, paint_camera)))
# Speed counts for more than size. Older releases of OpenCV cannot choose the filter.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
if hasattr(cv2, 'IMWRITE_PNG_FILTER'):
    _PNG += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


class Street(NamedTuple):
    """A scene, and the pictures of it.

    Args:
        name (str): File name of all its pictures.
        scene (str): The seed of the scene.
        without (tuple[str, ...]): Categories of objects that it does not show.
        styles (dict[str, Style]): Styles by the folder of the picture. The first folder has labels.
    """

    name: str
    scene: str
    without: tuple[str, ...]
    styles: dict[str, Style]


def paint(scene: Scene, styles: list[Style],
          size: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Paint a scene in some styles.

    Args:
        scene (Scene): The scene.
        styles (list[Style]): The styles.
        size (tuple[int, int]): Height H and width W = 2 H in pixels.

    Returns:
        tuple: RGB pictures, uint8 (H, W, 3), one per style, and the labels that they share, uint8
        (H, W), places in :data:`.labels.CATEGORIES`.

    Examples:
        >>> style = draw_style('A', random.Random(0))
        >>> (picture, ), labels = paint(draw_scene('a seed'), [style], (128, 256))
        >>> picture.shape, labels.shape
        ((128, 256, 3), (128, 256))
    """
    raster = rasterise(scene, size)
    return [PAINTERS[style.domain](raster, scene, style) for style in styles], raster.labels


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


def plan_streets(counts: dict[str, int], seed: int) -> list[Street]:
    """Decide scenes and styles: every picture that is no ground truth has its own of both.

    Args:
        counts (dict[str, int]): Pictures per domain by split, 'train' and 'test'.
        seed (int): Chooses them.

    Returns:
        list[Street]: All streets.
    """
    streets = []
    for split, count in counts.items():
        for i in range(count):
            styles = {domain: draw_style(domain, random.Random(f'{seed} style {split}{domain} {i}'))
                      for domain in DOMAINS}
            for domain in DOMAINS:
                painted = {split + domain: styles[domain]}
                if split == 'test':
                    painted |= {f'{split}{domain}2{other}': styles[other]
                                for other in DOMAINS if other != domain}
                streets.append(Street(
                    f'{i:05d}.png', f'{seed} {split}{domain} {i}',
                    held_out(styles[domain]) if split == 'train' else (), painted))
    return streets


def label_folder(street: Street) -> str:
    """Where the labels of a street go."""
    return f'{next(iter(street.styles))}_labels8'


def write_street(size: tuple[int, int], root: Path, street: Street) -> None:
    """Paint a street and write its pictures and its labels.

    Args:
        size (tuple[int, int]): Height and width of the pictures.
        root (Path): Folder with the folders of the data set.
        street (Street): What to paint.
    """
    if parent_process():  # there is a worker per core already, and the pictures are small
        cv2.setNumThreads(1)
    pictures, labels = paint(draw_scene(street.scene, street.without),
                             list(street.styles.values()), size)
    _write(root / label_folder(street) / street.name, labels)
    for folder, picture in zip(street.styles, pictures):
        _write(root / folder / street.name, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _write(path: Path, image: np.ndarray) -> None:
    # Not cv2.imwrite, which tells neither why it failed nor that the disk is full.
    path.write_bytes(cv2.imencode('.png', image, _PNG)[1])
