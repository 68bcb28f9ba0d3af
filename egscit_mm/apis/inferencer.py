# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of single images, without Runner and dataset."""
import os
from itertools import groupby
from typing import List, Optional, Sequence, Union

import numpy as np
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from PIL import Image, ImageOps, UnidentifiedImageError

from ..models import ExemplarTranslationModel
from .pictures import load_model

ImageLike = Union[str, os.PathLike, np.ndarray, Image.Image]


class EGSCITInferencer:
    """Translates images after exemplars with a trained :class:`EGSCIT` or :class:`MUNIT`.

    Needs neither the stage-1 checkpoint nor VGG weights.

    Args:
        config (str | Config): Config of the model, for EGSCIT that of stage 2.
        checkpoint (str): Its checkpoint.
        device (str | None): Device; a GPU where there is one by default.

    Raises:
        ValueError: If the config has no such model or the checkpoint does not fit it.
    """

    def __init__(self,
                 config: Union[str, os.PathLike, Config],
                 checkpoint: str,
                 device: Optional[str] = None):
        cfg = config if isinstance(config, Config) else Config.fromfile(config)
        init_default_scope(cfg.get('default_scope', 'mmagic'))
        self.device = torch.device(device or get_device())
        if not issubclass(MODELS.get(cfg.model.type) or object, ExemplarTranslationModel):
            raise ValueError(f'{cfg.filename}: translation needs a config with an EGSCIT model or '
                             f'MUNIT, this one has {cfg.model.type!r}')
        self.model = load_model(cfg, checkpoint, self.device)
        self.stride = self.model.inference_generators.encoders[self.model.domains[0]].stride

    @torch.inference_mode()
    def __call__(self,
                 content: Sequence[ImageLike],
                 exemplar: Sequence[ImageLike],
                 target_domain: Optional[str] = None,
                 batch_size: int = 8) -> List[np.ndarray]:
        """Translates content i after exemplar i.

        Args:
            content (Sequence): Paths, PIL images, or RGB uint8 arrays (H, W, 3), of any size.
            exemplar (Sequence): The same; one for all, or one for each content.
            target_domain (str | None): Domain of the exemplars; the model's default if None.
            batch_size (int): Neighbours of equal size are translated together, at most so many.

        Returns:
            list[np.ndarray]: Translations, RGB uint8, in the size of their content.
        """
        if len(exemplar) not in (1, len(content)):
            raise ValueError(f'Give one exemplar, or as many as contents: got {len(exemplar)} '
                             f'exemplars for {len(content)} contents')
        contents = [self._tensor(image) for image in content]
        exemplars = [self._tensor(image) for image in exemplar] * (
            len(content) if len(exemplar) == 1 else 1)
        results = []
        for _, pairs in groupby(
                zip(contents, exemplars), key=lambda pair: (pair[0].shape, pair[1].shape)):
            pairs = list(pairs)
            for start in range(0, len(pairs), batch_size):
                images, styles = zip(*pairs[start:start + batch_size])
                results += self._translate(torch.stack(images), torch.stack(styles), target_domain)
        return results

    def _translate(self, content, exemplar, target_domain) -> List[np.ndarray]:
        height, width = content.shape[-2:]
        content, exemplar = (self._padded(x.to(self.device)) for x in (content, exemplar))
        result = self.model.translation(content, target_domain, exemplar)[..., :height, :width]
        result = ((result.float().clamp(-1, 1) + 1) * 127.5).round().byte()
        return list(result.permute(0, 2, 3, 1).cpu().numpy())

    def _padded(self, images: torch.Tensor) -> torch.Tensor:
        """Pads at the bottom and on the right to what the encoder's strides divide."""
        height, width = images.shape[-2:]
        pads = (0, -width % self.stride, 0, -height % self.stride)
        return F.pad(images, pads, mode='reflect') if any(pads) else images

    @staticmethod
    def _tensor(image: ImageLike) -> torch.Tensor:
        """RGB in [-1, 1], (3, H, W)."""
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError('An array must be RGB, uint8, (H, W, 3); got '
                                 f'{image.dtype}, {image.shape}')
        else:
            image = np.array(load_image(image))
        return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


def load_image(image: Union[str, os.PathLike, Image.Image]) -> Image.Image:
    """Opens an image upright and in RGB.

    Args:
        image (str | PathLike | Image): Path, or PIL image of any mode.

    Returns:
        Image: RGB, turned as its EXIF orientation says.

    Raises:
        ValueError: If the file is no readable image.
    """
    if isinstance(image, Image.Image):
        return ImageOps.exif_transpose(image).convert('RGB')
    try:
        with Image.open(image) as opened:
            return ImageOps.exif_transpose(opened).convert('RGB')
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f'{os.fspath(image)} is not a readable image: {error}') from error
