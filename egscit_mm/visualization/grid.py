# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Grids of images."""
from math import ceil
from typing import Dict, Sequence, Union

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.utils import make_grid

PADDING = 2  # pixels around each image of a grid, before any enlargement
MARGIN = 8  # pixels around the texts of a contact sheet
FONT_SIZE = 14  # pixels


Row = Union[Tensor, Sequence[Tensor]]


def image_grid(rows: Dict[str, Row], max_columns: int = 16) -> np.ndarray:
    """Puts rows of images into one picture.

    Args:
        rows (dict[str, Tensor | Sequence[Tensor]]): By name, top to bottom, N images each: RGB in
            [-1, 1], (3, H, W). All cells have the size of the largest image; smaller ones stand in
            their middle, on grey.
        max_columns (int): At most so many images of each row are shown. Defaults to 16.

    Returns:
        np.ndarray: RGB, uint8, (H', W', 3).

    Examples:
        >>> rows = dict(content=torch.zeros(4, 3, 28, 28), translation=torch.ones(4, 3, 28, 28))
        >>> image_grid(rows).shape
        (62, 122, 3)
    """
    images = [image.float().cpu() for row in rows.values() for image in row[:max_columns]]
    columns = len(images) // len(rows)
    height, width = (max(image.shape[axis] for image in images) for axis in (-2, -1))
    cells = torch.stack([_in_cell(image, height, width) for image in images])
    grid = make_grid(cells, nrow=columns, padding=PADDING, normalize=True, value_range=(-1, 1),
                     pad_value=0.5)
    return (grid * 255).round().byte().permute(1, 2, 0).numpy()


def _in_cell(image: Tensor, height: int, width: int) -> Tensor:
    """An image in the middle of a grey one."""
    cell = image.new_zeros(len(image), height, width)
    top, left = (height - image.shape[-2]) // 2, (width - image.shape[-1]) // 2
    cell[:, top:top + image.shape[-2], left:left + image.shape[-1]] = image
    return cell


def exemplar_grid(contents: Row, exemplars: Row, translations: Sequence[Row]) -> np.ndarray:
    """Shows every content translated after every exemplar.

    Args:
        contents (Tensor | Sequence[Tensor]): RGB in [-1, 1], M images (3, H, W): the first column.
        exemplars (Tensor | Sequence[Tensor]): RGB in [-1, 1], N images (3, H, W): the first row.
        translations (Tensor | Sequence): RGB in [-1, 1], M rows of N images (3, H, W): content m
            after exemplar n.

    Returns:
        np.ndarray: RGB, uint8, (H', W', 3).
    """
    # Zero is the grey between the images, too.
    rows = [[torch.zeros_like(exemplars[0]), *exemplars]]
    rows += [[content, *row] for content, row in zip(contents, translations, strict=True)]
    return image_grid(dict(enumerate(rows)), max_columns=len(exemplars) + 1)


def contact_sheet(grids: Dict[str, Dict[str, Row]], scale: int = 1) -> np.ndarray:
    """Stacks grids with their titles above them and the names of their rows at the left.

    Args:
        grids (dict[str, dict[str, Tensor | Sequence[Tensor]]]): By title, rows by name as
            :func:`image_grid` takes them.
        scale (int): Every pixel becomes scale x scale pixels. Defaults to 1.

    Returns:
        np.ndarray: RGB, uint8, (H', W', 3), dark text on white. The grids end at the right edge.
    """
    font = ImageFont.load_default(FONT_SIZE)
    pictures = {}
    for title, rows in grids.items():
        picture = Image.fromarray(image_grid(rows, max_columns=max(map(len, rows.values()))))
        size = (picture.width * scale, picture.height * scale)
        pictures[title] = picture.resize(size, Image.Resampling.NEAREST)
    names = {name for rows in grids.values() for name in rows}
    left = ceil(max(font.getlength(row_label(name)) for name in names)) + 2 * MARGIN
    title_height = FONT_SIZE + 2 * MARGIN
    sheet = Image.new('RGB', (left + max(picture.width for picture in pictures.values()),
                              sum(title_height + picture.height for picture in pictures.values())),
                      'white')
    draw = ImageDraw.Draw(sheet)
    top = 0
    for title, picture in pictures.items():
        draw.text((left, top + title_height / 2), title, 'black', font, anchor='lm')
        top += title_height
        sheet.paste(picture, (left, top))
        names = list(grids[title])
        for index, name in enumerate(names):
            middle = top + (index + 0.5) * picture.height / len(names)
            draw.text((left - MARGIN, middle), row_label(name), 'black', font, anchor='rm')
        top += picture.height
    return np.array(sheet)


def row_label(name: str) -> str:
    """Name of a row as people read it: ``ground_truth`` becomes ``ground truth``."""
    return name.replace('_', ' ')
