# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Augmentation of the training images."""
from collections.abc import Sequence
from typing import Union

import mmcv
import numpy as np
from mmagic.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


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
        ...     dict(type='LoadImageFromFile', key='img_A'),
        ...     dict(type='LoadImageFromFile', key='img_B'),
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
            raise ValueError('RandomZoomCrop: keys is empty, expected at least one image key')
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError('RandomZoomCrop: scale must be (smallest, largest) with '
                             f'0 < smallest <= largest <= 1, got {tuple(scale)}')
        if not 0 <= prob <= 1:
            raise ValueError(f'RandomZoomCrop: prob must be in [0, 1], got {prob}')
        self.scale = tuple(scale)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Augment the images of a sample.

        Args:
            results (dict): The sample.

        Returns:
            dict: The same sample with images of unchanged shape and type.
        """
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
