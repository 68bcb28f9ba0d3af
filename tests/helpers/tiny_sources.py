# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the tests of the dataset converters share: tiny archives, a full disk, running a script."""
import errno
import functools
import gzip
import importlib.util
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

CONVERTERS = Path(__file__).parents[2] / 'tools' / 'dataset_converters'
NUM_TRAIN_DIGITS, NUM_TEST_DIGITS, NUM_LETTERS = 240, 130, 156  # of write_mnist and write_emnist


def encoded(image, image_format='PNG', **options):
    """Content of an image file, from a PIL image or an array."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        buffer, image_format, **options)
    return buffer.getvalue()


def write_zip(path, files):
    """Writes an archive of {name: content}."""
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_folder(path, files):
    """Writes a folder of {name: content}."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_idx(path, array):
    """Writes an idx file of bytes, gzipped if it is named so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes()
    content += array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)


def write_mnist(folder, suffix=''):
    """Random blots, so that every digit is unlike every other one, with labels 0..9 in turn."""
    rng = np.random.RandomState(0)
    for prefix, count in (('train', NUM_TRAIN_DIGITS), ('t10k', NUM_TEST_DIGITS)):
        write_idx(folder / f'{prefix}-images-idx3-ubyte{suffix}',
                  rng.randint(0, 256, (count, 28, 28), np.uint8))
        write_idx(folder / f'{prefix}-labels-idx1-ubyte{suffix}',
                  np.arange(count, dtype=np.uint8) % 10)
    return folder


def write_emnist(folder, suffix=''):
    """Random blots as letters of the test set, with labels 1..26 in turn; stored transposed."""
    upright = np.random.RandomState(1).randint(0, 256, (NUM_LETTERS, 28, 28), np.uint8)
    write_idx(folder / f'emnist-letters-test-images-idx3-ubyte{suffix}',
              np.ascontiguousarray(upright.transpose(0, 2, 1)))
    write_idx(folder / f'emnist-letters-test-labels-idx1-ubyte{suffix}',
              np.arange(NUM_LETTERS, dtype=np.uint8) % 26 + 1)
    return folder


def truncate(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def damage_member(path, name):
    """Flips a byte in the content of a stored file of an archive."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
        start = entry.header_offset + len(entry.FileHeader())
    content = bytearray(path.read_bytes())
    content[start + entry.file_size // 2] ^= 255
    path.write_bytes(content)


def tree(folder):
    """{relative name: content} of all files, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def read(path):
    return np.asarray(Image.open(path))


def section(out, domain):
    return json.loads((out / 'manifest.json').read_text())['domains'][domain]


def fill_disk(monkeypatch, after):
    """Makes Path.write_bytes fail after some calls, with half of the content written."""
    write_bytes, calls = Path.write_bytes, []

    def failing(path, content):
        calls.append(path)
        if len(calls) > after:
            write_bytes(path, content[:len(content) // 2])
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        return write_bytes(path, content)

    monkeypatch.setattr(Path, 'write_bytes', failing)


@functools.cache
def converter(name):
    """The module of a script in tools/dataset_converters."""
    spec = importlib.util.spec_from_file_location(f'{name}_converter', CONVERTERS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_converter(name, *args, workers=0):
    """Runs a converter as from the command line; returns its exit code."""
    argv, sys.argv = sys.argv, [f'{name}.py', *map(str, args), '--workers', str(workers)]
    try:
        return converter(name).main()
    finally:
        sys.argv = argv
