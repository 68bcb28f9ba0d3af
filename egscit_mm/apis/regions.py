# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Regions of a content, each translated to a style of its own."""
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Container, Dict, List, Tuple, Union

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..models.layers.styles import (
    Style,
    region_maps,
    regional_statistics,
    regional_style,
)
from ..models.networks.generator_side import Translator
from ..utils.checks import check_not_negative
from ..utils.errors import BadInputError, UserError
from ..utils.image_sizes import fitted
from ..utils.images import decode
from ..utils.listing import why_unusable

LabelMap = Union[str, os.PathLike, np.ndarray, Image.Image]
REGION_STATISTICS = ('image', 'region')


@dataclass
class Regions:
    """Which style each region of one content gets.

    Args:
        labels (np.ndarray): Of :func:`label_map`, (H, W).
        styles (dict[int, Style]): By label.
        blend (float): Width of the borders in pixels.
        statistics (str): One of :data:`REGION_STATISTICS`: whose mean and variance AdaIN takes
            for the content's.

    Raises:
        UserError: If an argument is outside its range, or a label has no style.
    """

    labels: np.ndarray
    styles: Dict[int, Style]
    blend: float
    statistics: str

    def __post_init__(self):
        check_not_negative(self, blend=self.blend)
        if self.statistics not in REGION_STATISTICS:
            raise UserError(f'The statistics of regions must be one of {REGION_STATISTICS}, got '
                            f'{self.statistics!r}')
        found = found_labels(self.labels, self.styles)
        self.styles = {label: self.styles[label] for label in found}

    def translation(self, generators: Translator, source: str,
                    target: str) -> Callable[[Tensor], Tensor]:
        """Function that translates the content, (1, 3, H', W') with :func:`fitted` sides."""
        if len(self.styles) > 1 and not generators.takes_statistics:
            raise UserError('This model cannot style regions: its style is one for the whole image '
                            '(EGSCIT with AdaIN can).')

        def translate(content: Tensor) -> Tensor:
            stride = generators.image_network.stride
            labels = torch.from_numpy(self.labels.astype(np.int64)).to(content.device)
            maps = region_maps(
                fitted(labels[None, None], stride)[0, 0], list(self.styles), stride, self.blend)
            style = regional_style(list(self.styles.values()), maps)
            if self.statistics == 'image' or len(self.styles) == 1:
                return generators.translate_to_style(content, style, source, target)
            features = generators.masked_content(content, source)
            return generators.decode(features, style, target, regional_statistics(features, maps))

        return translate


def found_labels(labels: np.ndarray, known: Container[int]) -> List[int]:
    """The labels that occur in a map, sorted.

    Raises:
        UserError: If one is not known.
    """
    found = np.unique(labels).tolist()
    unknown = [label for label in found if label not in known]
    if unknown:
        raise UserError(f'a label map has the labels {unknown[:5]}, for which there is no '
                        f'exemplar; there are exemplars for the labels {list(known)[:10]}')
    return found


def label_map(labels: LabelMap, size: Tuple[int, int]) -> np.ndarray:
    """Integers (H, W) of a label map for a content of this size (H, W).

    Raises:
        UserError: If it cannot be read, has several channels, no integers or another size.
    """
    name = 'The label map'
    if isinstance(labels, (str, os.PathLike)):
        name = f'The label map {os.fspath(labels)}'
        if why := why_unusable(labels):
            raise UserError(f'{name} {why}')
        try:
            labels = decode(Path(labels).read_bytes(), 'label map')
        except (BadInputError, OSError) as error:
            raise UserError(f'{name} cannot be read: {error}') from error
    if isinstance(labels, Image.Image) and labels.mode not in ('1', 'L', 'P', 'I', 'I;16'):
        raise UserError(f'{name} is of mode {labels.mode}: expected one channel of integers, such '
                        'as an 8-bit grey PNG')
    values = np.asarray(labels)
    if values.ndim != 2 or values.dtype.kind not in 'bui':
        raise UserError(f'{name} must be integers (H, W), got {values.dtype}, {values.shape}')
    if values.shape != tuple(size):
        raise UserError(f'{name} has {values.shape[1]} x {values.shape[0]} pixels, its content '
                        f'{size[1]} x {size[0]}: make them equal')
    return values
