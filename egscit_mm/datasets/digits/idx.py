# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Reading idx files, the format of MNIST and EMNIST."""
import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..conversion.errors import ConversionError


def find_idx_file(folders: Sequence[Path], name: str) -> Path:
    """Find an idx file, gzipped or not.

    Args:
        folders (Sequence[Path]): Where to look, in this order.
        name (str): Name of the file without ``.gz``.

    Returns:
        Path: The first file found.

    Raises:
        ConversionError: If there is none.
    """
    candidates = [folder / (name + suffix) for folder in folders for suffix in ('', '.gz')]
    for path in candidates:
        if path.is_file():
            return path
    raise ConversionError(f"no {name}: looked for {', '.join(map(str, candidates))}. Give the "
                          'folder that holds it with --root; --source digits needs no files')


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read an idx file of bytes, gzipped if its name ends in ``.gz``.

    torchvision's reader takes neither gzipped files nor the name of the file into its errors.

    Args:
        path (Path): The file.
        ndim (int): Number of dimensions that it must have: 3 for images, 1 for labels.

    Returns:
        np.ndarray: The content, uint8.

    Raises:
        ConversionError: If the file is not such an idx file, or is damaged or truncated, or cannot
            be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConversionError(f'cannot read {path}: {error.strerror}') from error
    if path.suffix == '.gz':
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ConversionError(
                f'{path} is damaged or truncated ({error}): get this file again') from error
    header = 4 + 4 * ndim
    magic = bytes([0, 0, 8, ndim])  # 8: unsigned bytes
    if content[:4] != magic:
        raise ConversionError(
            f'{path} is not an idx file of bytes in {ndim} dimensions: expected it to start with '
            f'{magic.hex()}, got {content[:4].hex() or "nothing"}')
    shape = tuple(int.from_bytes(content[i:i + 4], 'big') for i in range(4, header, 4))
    if len(content) != header + math.prod(shape):
        raise ConversionError(
            f'{path} is damaged or truncated: its header (shape {shape}) asks for '
            f'{header + math.prod(shape)} bytes of content, but it has {len(content)}: get this '
            'file again')
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
