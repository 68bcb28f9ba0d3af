# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Label maps: Cityscapes' 19 classes and their eight categories."""
from typing import Callable

import numpy as np
from PIL import Image
from torchvision.datasets import Cityscapes

from ...utils.errors import BadInputError
from ...utils.images import decode, decode_rgb, open_lazily
from .images import stretch

IGNORE = 255  # label of pixels that count in no score

# Train id and category by colour. Where classes share a colour, as car and licence plate do, the
# one with a train id comes first and stays. GTA5 shows the class static in (20, 20, 20).
_LABELS_OF_COLOURS = {(20, 20, 20): (IGNORE, 0)}
for _class in sorted(Cityscapes.classes, key=lambda item: item.ignore_in_eval):
    _LABELS_OF_COLOURS.setdefault(
        _class.color, (IGNORE if _class.ignore_in_eval else _class.train_id, _class.category_id))

_COLOUR_CODE = np.array([1 << 16, 1 << 8, 1], np.int32)
_BY_COLOUR = sorted((int(np.array(colour) @ _COLOUR_CODE), train_id, category)
                    for colour, (train_id, category) in _LABELS_OF_COLOURS.items())
_COLOURS = np.array([code for code, _, _ in _BY_COLOUR], np.int32)
_IDS_OF_COLOURS = dict(
    labels19=np.array([train_id for _, train_id, _ in _BY_COLOUR], np.uint8),
    labels8=np.array([category for _, _, category in _BY_COLOUR], np.uint8))
_CATEGORY_OF_TRAIN_ID = np.zeros(256, np.uint8)
for _code, _train_id, _category in _BY_COLOUR:
    if _train_id != IGNORE:
        _CATEGORY_OF_TRAIN_ID[_train_id] = _category


def stretch_labels(labels: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a label map of any mode to (height, width), nearest neighbour."""
    height, width = size
    return labels.resize((width, height), Image.Resampling.NEAREST)


def train_ids_of_colours(labels: Image.Image) -> dict[str, Image.Image]:
    """Turn a label map in Cityscapes' colours into class numbers.

    Args:
        labels (Image.Image): In colours, with a palette or RGB.

    Returns:
        dict[str, Image.Image]: ``labels19``: train ids 0..18, 255 for all else. ``labels8``: the
        number of the class's category in Cityscapes, 0 (void) to 7. Both of mode L.

    Raises:
        BadInputError: If a colour is none of Cityscapes'.
    """
    pixels = np.asarray(labels.convert('RGB')).astype(np.int32) @ _COLOUR_CODE
    places = np.minimum(np.searchsorted(_COLOURS, pixels), len(_COLOURS) - 1)
    unknown = np.unique(pixels[_COLOURS[places] != pixels]).tolist()
    if unknown:
        named = ', '.join(str((code >> 16, code >> 8 & 255, code & 255)) for code in unknown[:5])
        raise BadInputError(f"the label has {len(unknown)} colours that are not Cityscapes' (RGB "
                            f'{named}): is it a colour label map?')
    return {key: Image.fromarray(values[places]) for key, values in _IDS_OF_COLOURS.items()}


def categories_of_train_ids(labels: Image.Image) -> dict[str, Image.Image]:
    """Add the eight categories to a map of train ids.

    Args:
        labels (Image.Image): One channel, train ids 0..18 or 255.

    Returns:
        dict[str, Image.Image]: ``labels19``: the same. ``labels8``: numbers of Cityscapes'
        categories; 255 becomes 0 (void), also where the class had a category.

    Raises:
        BadInputError: If the map has other values or several channels.
    """
    if labels.mode not in ('L', 'P'):
        raise BadInputError(f'the label is of mode {labels.mode}, not a one-channel map of train '
                            'ids')
    ids = np.asarray(labels)
    unknown = np.setdiff1d(ids, [*range(19), IGNORE]).tolist()
    if unknown:
        raise BadInputError(f'the label has the values {unknown[:5]}: expected train ids 0..18 and '
                            f'{IGNORE}')
    return dict(labels19=Image.fromarray(ids), labels8=Image.fromarray(_CATEGORY_OF_TRAIN_ID[ids]))


def render_labelled(contents: dict[str, bytes], size: tuple[int, int], role: str,
                    label_maps: Callable[[Image.Image], dict[str, Image.Image]],
                    mismatch: type[Exception]) -> dict[str, Image.Image]:
    """Stretch an image and, if it has labels, make its two label maps.

    Args:
        contents (dict[str, bytes]): The file of the ``image`` and, perhaps, that of its labels.
        size (tuple[int, int]): Height and width of the outputs.
        role (str): Key of the labels' file in ``contents``, and what errors call it.
        label_maps (Callable): :func:`train_ids_of_colours` or :func:`categories_of_train_ids`.
        mismatch (type[Exception]): Raised if the labels are of another size than the image:
            BadInputError or LeftOutError.

    Raises:
        BadInputError: If a file cannot be decoded, or the image has a palette.
    """
    if open_lazily(contents['image']).mode == 'P':
        raise BadInputError('the image has a palette, as label maps have: are images and labels '
                            'swapped?')
    image = Image.fromarray(decode_rgb(contents['image']))
    outputs = dict(image=stretch(image, size))
    if role in contents:
        labels = decode(contents[role], role)
        if labels.size != image.size:
            raise mismatch('the image is {}x{}, its {} {}x{}'.format(
                *image.size, role, *labels.size))
        outputs.update(label_maps(stretch_labels(labels, size)))
    return outputs
