# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Digits and letters: MNIST, the letters of EMNIST, and scikit-learn's digits."""
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..conversion.errors import ConversionError
from .idx import find_idx_file, read_idx
from .single import DIGIT_SIZE

DIGIT_BOX = 20  # pixels; MNIST's digits fill a box of this size in the middle of the image


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


def load_sklearn_digits(num_test: int, num_domains: int, rng: np.random.RandomState
                        ) -> tuple[dict[str, Characters], dict[str, str]]:
    """Enlarge scikit-learn's digits to MNIST's format and hold some out for testing.

    Args:
        num_test (int): Test digits per domain.
        num_domains (int): Number of domains made of these digits.
        rng (np.random.RandomState): Chooses the test digits.

    Returns:
        tuple: Digits by split ('train', 'test'), and the md5 sum of the source by name.

    Raises:
        ConversionError: If too few digits would be left for training, or scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits  # seconds of import that only this source needs
    except ModuleNotFoundError as error:
        raise ConversionError(
            f'the source digits needs scikit-learn, which cannot be imported ({error}): type pip '
            'install scikit-learn, or give --source mnist') from error

    source = load_digits()
    num_held_out = num_test * num_domains
    most = len(source.target) // num_domains - 1
    if num_test > most:
        raise ConversionError(
            f'the test set asks for {num_held_out} of the {len(source.target)} digits of '
            'scikit-learn, which leaves too few for training: ask for a --num-test of at most '
            f'{most}')
    border = (DIGIT_SIZE - DIGIT_BOX) // 2
    images = []
    for small in source.images.astype(np.float32):  # 8x8, values 0..16
        # Lanczos and full brightness from 14 on: other choices break more of the thin strokes when
        # the digit is binarised (an 0 becomes a C) or fill more of the holes.
        box = cv2.resize(
            small * (255 / 14), (DIGIT_BOX, DIGIT_BOX), interpolation=cv2.INTER_LANCZOS4)
        images.append(np.pad(np.clip(box, 0, 255).round().astype(np.uint8), border))
    digits = Characters(np.stack(images), source.target.astype(np.uint8))
    order = rng.permutation(len(digits.labels))
    chosen = dict(test=order[:num_held_out], train=order[num_held_out:])
    pixels = np.ascontiguousarray(source.images.astype(np.uint8))
    md5 = hashlib.md5(pixels, usedforsecurity=False).hexdigest()
    return ({split: Characters(*(array[index] for array in digits))
             for split, index in chosen.items()}, {'sklearn.datasets.load_digits': md5})
