# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Label maps of the contents of translations."""
from pathlib import Path
from typing import Optional

import numpy as np
from mmengine.dataset import BaseDataset
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import Cityscapes

from ...datasets.streets.labels import CATEGORIES
from ...utils.errors import UserError
from ...utils.images import decode
from .translation_metric import TranslatedImage, TranslationMetric

# Names of the classes by the ending of the folders of label maps: Cityscapes' 19 classes in the
# order of their train ids, or its 8 categories.
CLASSES = dict(
    labels19=tuple(
        item.name.replace(' ', '_')
        for item in sorted(Cityscapes.classes, key=lambda item: item.train_id)
        if not item.ignore_in_eval),
    labels8=CATEGORIES)


class LabelledMetric(TranslationMetric):
    """Base of metrics that read the label maps of the contents.

    Attributes:
        labels (str): Which, a key of :data:`CLASSES`.
    """

    labels = 'labels8'

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Takes the number of samples, and looks for the label maps of all contents.

        Raises:
            ValueError: If one is missing.
        """
        super().prepare(module, dataloader)
        dataset = dataloader.dataset
        if not isinstance(dataset, BaseDataset):  # its paths are not known beforehand
            return
        sources = {source for source, _ in self.directions} or getattr(dataset, 'domains', ())
        contents = [(source, dataset.get_data_info(index).get(f'img_{source}_path'))
                    for source in sources for index in range(len(dataset))]
        paths = [label_path(path, source, self.labels) for source, path in contents if path]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise UserError(f'{type(self).__name__}: {missing[0]} does not exist ({len(missing)} '
                            f'of {len(paths)} label maps are missing). Make the labels with the '
                            'converters in tools/dataset_converters (docs/datasets.md)')

    def label_path(self, image: TranslatedImage) -> Path:
        """Where the labels of a translation's content are; see :func:`label_path`."""
        try:
            return label_path(image.sample.get(f'img_{image.source}_path'), image.source,
                              self.labels)
        except ValueError as error:
            raise UserError(f'{image.name}: {error}') from error


def label_path(content: Optional[str], domain: str, labels: str) -> Path:
    """Where the labels of a content are.

    Args:
        content (str | None): Path of the image, of which the sample should tell.
        domain (str): Its domain.
        labels (str): A key of :data:`CLASSES`.

    Returns:
        Path: ``<root>/testA_labels19/<name>.png`` for ``<root>/testA/<name>.<suffix>``.

    Raises:
        ValueError: If there is no path, or no folder of the data set is in it.
    """
    path = Path(content or '')
    # The last one: a data set may lie in a folder of such a name.
    for folder in path.parents:
        if folder.name in (f'test{domain}', f'train{domain}'):
            maps = folder.with_name(f'{folder.name}_{labels}')
            return (maps / path.relative_to(folder)).with_suffix('.png')
    key = f'img_{domain}_path'
    raise UserError(
        f'its labels cannot be found, as {key!r} is {str(path)!r}: expected a file in a folder '
        f"test{domain} or train{domain}, and {key!r} in `meta_keys` of the test pipeline's "
        'PackInputs.')


def read_labels(path: Path) -> np.ndarray:
    """Read a label map (H, W) of one channel.

    Raises:
        ValueError: If there is none, or it has several channels.
    """
    if not path.is_file():
        raise UserError('the file does not exist. Make the labels with the converters in '
                        'tools/dataset_converters (docs/datasets.md)')
    image = decode(path.read_bytes(), 'label map')
    if image.mode not in ('L', 'P'):
        raise UserError(f'it is of mode {image.mode}, not a one-channel map of classes')
    return np.array(image)
