# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether a segmenter finds the content's classes in the translation."""
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np
import torch
import torch.nn.functional as F
from mmagic.registry import METRICS
from mmengine.device import get_device
from mmengine.runner import load_checkpoint
from torch import nn

from ...utils.errors import UserError
from ...utils.image_sizes import map_equal
from ..functional import class_iou, confusion_matrix
from ..networks import build_frozen
from .content_labels import CLASSES, LabelledMetric, read_labels
from .translation_metric import TranslatedImage

IGNORE = 255  # label of pixels that count in no score


@METRICS.register_module()
class TranslationMIoU(LabelledMetric):
    """Semantic consistency: a segmenter of the target domain on translations, scored on the labels
    of their contents.

    1 if the segmenter finds every pixel's class; what it gets on real images of the target domain
    is the value to reach. It measures one direction: the one whose target domain the segmenter
    was trained on, and whose contents have labels. (The paper's Table 3 goes the other way round:
    it trains a segmenter on translations and tests it on real images.)

    The labels of ``testA/NAME.jpg`` are read from ``testA_labels19/NAME.png``: one channel,
    Cityscapes' train ids 0 to 18, 255 where a pixel does not count
    (docs/datasets.md); or from ``testA_labels8``, its 8 categories. Pixels are counted over all
    images before the ratio is taken.

    Results, for direction 'A2B': ``miou/A2B``, the mean over the classes that labels or predictions
    have, and ``iou_<class>/A2B`` for each of these classes, such as ``iou_road/A2B``.

    Args:
        segmenter (dict | nn.Module): Config in ``MODELS``, or module: from images, RGB in [-1, 1]
            (N, 3, H, W), to logits (N, K, h, w) of the K classes. Logits of another size are
            resized, bilinear.
        checkpoint (str, optional): Weights for the segmenter. Defaults to None: it has its own.
        direction (str): Which translations. Defaults to 'A2B'.
        labels (str): ``'labels19'`` or ``'labels8'``. Defaults to ``'labels19'``.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        **kwargs: Arguments of :class:`TranslationMetric`.

    Raises:
        ValueError: If the direction is not one of the domains', the labels are unknown or the
            checkpoint does not fit.
    """

    def __init__(self,
                 segmenter: Union[dict, nn.Module],
                 checkpoint: Optional[str] = None,
                 direction: str = 'A2B',
                 labels: str = 'labels19',
                 domains: Sequence[str] = ('A', 'B'),
                 **kwargs) -> None:
        self.direction = direction
        super().__init__(domains=domains, **kwargs)
        if labels not in CLASSES:
            raise UserError(f'TranslationMIoU: labels must be one of {list(CLASSES)}, got '
                            f'{labels!r}')
        self.labels = labels
        self.classes = CLASSES[labels]
        self.segmenter = build_frozen(segmenter)
        if checkpoint is not None:
            try:
                load_checkpoint(self.segmenter, checkpoint, map_location='cpu', strict=True)
            except RuntimeError as error:
                raise UserError(f'TranslationMIoU: {checkpoint} does not fit the segmenter '
                                f'{type(self.segmenter).__name__}: {error}') from error

    @classmethod
    def figure_names(cls, domains: Sequence[str], arguments: dict) -> List[str]:
        """Names of the results, had every class a pixel."""
        direction = arguments.get('direction', 'A2B')
        return [f'miou/{direction}', *(
            f'iou_{name}/{direction}' for name in CLASSES[arguments.get('labels', 'labels19')])]

    def set_domains(self, domains: Sequence[str]) -> None:
        """Keeps the one direction.

        Raises:
            ValueError: If it is not one between these domains.
        """
        super().set_domains(domains)
        directions = {f'{source}2{target}': (source, target) for source, target in self.directions}
        if self.direction not in directions:
            raise UserError(f'TranslationMIoU: direction must be one of {list(directions)}, got '
                            f'{self.direction!r}')
        self.directions = [directions[self.direction]]

    def measure_batch(self, images: List[TranslatedImage]) -> List[Dict[str, Any]]:
        """Confusion matrices of the images; those of equal size go through together."""
        return map_equal(
            self._measure_equal, images, [image.translation.shape for image in images])

    @torch.no_grad()
    def _measure_equal(self, images: List[TranslatedImage]) -> List[Dict[str, Any]]:
        """Confusion matrices of images of one size.

        Raises:
            ValueError: If labels are missing or do not fit the translation, or the segmenter does
                not give logits of as many classes.
        """
        # Rounded to 8 bits, as a translation that was saved to a file.
        batch = torch.from_numpy(np.stack([image.translation for image in images]))
        batch = batch.permute(0, 3, 1, 2).to(get_device()) / 127.5 - 1
        logits = self.segmenter(batch)
        if logits.ndim != 4 or logits.shape[:2] != (len(images), len(self.classes)):
            raise UserError(
                f'TranslationMIoU: the segmenter must give logits of shape ({len(images)}, '
                f'{len(self.classes)}, h, w), but gave {tuple(logits.shape)}')
        if logits.shape[2:] != batch.shape[2:]:
            logits = F.interpolate(logits, batch.shape[2:], mode='bilinear')
        predictions = logits.argmax(1).cpu().numpy()
        confusions = []
        for image, prediction in zip(images, predictions):
            path = self.label_path(image)
            try:
                confusion = confusion_matrix(
                    prediction, read_labels(path), len(self.classes), IGNORE)
            except ValueError as error:
                raise UserError(f'{image.name}: {path} does not fit: {error}') from error
            confusions.append(dict(confusion=confusion))
        return confusions

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Mean and single intersection over union of the classes that are there.

        Returns:
            dict[str, float]: ``miou/<direction>`` and ``iou_<class>/<direction>``.

        Raises:
            ValueError: If no pixel of any image has a label.
        """
        (source, target), = self.directions
        direction = f'{source}2{target}'
        ious = class_iou(sum(result[f'confusion/{direction}'] for result in results))
        if np.isnan(ious).all():
            raise UserError(f'TranslationMIoU: all pixels of all labels are {IGNORE} (ignored)')
        return {
            f'miou/{direction}': float(np.nanmean(ious)),
            **{f'iou_{name}/{direction}': float(iou)
               for name, iou in zip(self.classes, ious) if not np.isnan(iou)}
        }
