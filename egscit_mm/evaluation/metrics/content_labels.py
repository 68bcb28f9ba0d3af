# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Label maps of the contents of translations."""
from pathlib import Path

import numpy as np
from torchvision.datasets import Cityscapes

from ...datasets.streets.labels import CATEGORIES
from ...utils.errors import UserError
from ...utils.images import decode
from .translation_metric import TranslatedImage

# Names of the classes by the ending of the folders of label maps: Cityscapes' 19 classes in the
# order of their train ids, or its 8 categories.
CLASSES = dict(
    labels19=tuple(
        item.name.replace(' ', '_')
        for item in sorted(Cityscapes.classes, key=lambda item: item.train_id)
        if not item.ignore_in_eval),
    labels8=CATEGORIES)


def label_path(image: TranslatedImage, labels: str) -> Path:
    """Where the labels of an image's content are.

    Args:
        image (TranslatedImage): A translation of a sample that carries its paths.
        labels (str): A key of :data:`CLASSES`.

    Returns:
        Path: ``<root>/testA_labels19/<name>.png`` for ``<root>/testA/<name>.<suffix>``.

    Raises:
        ValueError: If the sample has no path of the content, or no folder of the data set is in it.
    """
    key = f'img_{image.source}_path'
    path = Path(image.sample.get(key) or '')
    # The last one: a data set may lie in a folder of such a name.
    for folder in path.parents:
        if folder.name in (f'test{image.source}', f'train{image.source}'):
            maps = folder.with_name(f'{folder.name}_{labels}')
            return (maps / path.relative_to(folder)).with_suffix('.png')
    raise UserError(
        f'{image.name}: its labels cannot be found, as {key!r} is {str(path)!r}: expected a file '
        f"in a folder test{image.source} or train{image.source}, and {key!r} in `meta_keys` of the "
        "test pipeline's PackInputs.")


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
