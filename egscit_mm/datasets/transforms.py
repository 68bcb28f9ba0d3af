# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Reading and augmentation of the training images."""
from collections.abc import Sequence
from typing import Union

import cv2
import mmcv
import numpy as np
from mmagic.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..utils.checks import check_shares
from ..utils.errors import UserError
from ..utils.images import read_image


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Reads an image as the inferencer and the converters do.

    In place of MMagic's `LoadImageFromFile`, which drops the alpha channel, so that a model would
    be trained on the hidden colours of transparent pixels and translate others
    (:mod:`egscit_mm.utils.images` says what becomes of which file).

    Required key: `<key>_path`. Added keys: `<key>`, uint8 (H, W, C), `ori_<key>_shape`,
    `<key>_channel_order` and `<key>_color_type`.

    Args:
        key (str): The image, such as `img_A`.
        channel_order (str): `'bgr'` or `'rgb'`. Defaults to `'bgr'`, as MMagic has it.
        color_type (str): `'color'`, three channels, or `'grayscale'`, one. Defaults to `'color'`.

    Raises:
        ValueError: If an argument is none of these, or a file cannot be read.
    """

    def __init__(self, key: str, channel_order: str = 'bgr', color_type: str = 'color') -> None:
        for name, value, known in (('channel_order', channel_order, ('bgr', 'rgb')),
                                   ('color_type', color_type, ('color', 'grayscale'))):
            if value not in known:
                raise UserError(f'LoadImage: {name} must be one of {known}, got {value!r}')
        self.key = key
        self.channel_order = channel_order
        self.color_type = color_type

    def transform(self, results: dict) -> dict:
        """Reads the image of a sample."""
        image = read_image(results[f'{self.key}_path'], self.channel_order)
        if self.color_type == 'grayscale':
            code = dict(bgr=cv2.COLOR_BGR2GRAY, rgb=cv2.COLOR_RGB2GRAY)[self.channel_order]
            image = cv2.cvtColor(image, code)[..., None]
        results[self.key] = image
        results[f'ori_{self.key}_shape'] = image.shape
        results[f'{self.key}_channel_order'] = self.channel_order
        results[f'{self.key}_color_type'] = self.color_type
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(key={self.key!r}, channel_order={self.channel_order!r}, '
                f'color_type={self.color_type!r})')


@TRANSFORMS.register_module()
class RandomZoomCrop(BaseTransform):
    """Random crop resized back to the size of the image (the release's augmentation).

    With probability `prob` an image is replaced by a crop of s times its height and width, s
    drawn from U(scale), position uniform, enlarged bilinearly to the size of the image. The
    images of a sample are unpaired, so each key draws for itself. MMagic's `Flip` flips all
    its keys together: give each key its own `Flip` beside this transform.

    Random numbers come from NumPy's global generator, which MMEngine seeds in every worker.

    Required and modified keys: `keys`, each an image of shape (H, W, C) or (H, W), uint8 or
    float32.

    Args:
        keys (str | Sequence[str]): The images to augment.
        scale (Sequence[float]): Smallest and largest s, 0 < smallest <= largest <= 1.
        prob (float): Probability in [0, 1] that an image is augmented.

    Raises:
        ValueError: If `keys` is empty, or `scale` or `prob` is outside its range.

    Examples:
        >>> pipeline = [
        ...     dict(type='LoadImage', key='img_A'),
        ...     dict(type='LoadImage', key='img_B'),
        ...     dict(type='RandomZoomCrop', keys=['img_A', 'img_B']),
        ...     dict(type='Flip', keys='img_A'),
        ...     dict(type='Flip', keys='img_B'),
        ...     dict(type='PackInputs', keys=['img_A', 'img_B']),
        ... ]
    """

    def __init__(self,
                 keys: Union[str, Sequence[str]],
                 scale: Sequence[float] = (0.8, 1.0),
                 prob: float = 0.5) -> None:
        self.keys = [keys] if isinstance(keys, str) else list(keys)
        if not self.keys:
            raise UserError('RandomZoomCrop: keys is empty, expected at least one image key')
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
            raise UserError('RandomZoomCrop: scale must be (smallest, largest) with '
                            f'0 < smallest <= largest <= 1, got {tuple(scale)}')
        check_shares(self, prob=prob)
        self.scale = tuple(scale)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Augment the images of a sample."""
        for key in self.keys:
            if np.random.random() < self.prob:
                results[key] = self._zoom(results[key])
        return results

    def _zoom(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        scale = np.random.uniform(*self.scale)
        crop_height, crop_width = (max(1, round(scale * side)) for side in (height, width))
        top = np.random.randint(height - crop_height + 1)
        left = np.random.randint(width - crop_width + 1)
        crop = image[top:top + crop_height, left:left + crop_width]
        # OpenCV drops the channel axis of an image with one channel.
        return mmcv.imresize(crop, (width, height), backend='cv2').reshape(image.shape)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(keys={self.keys}, scale={self.scale}, prob={self.prob})'
