# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Images of every size, mode and format, whole and damaged, through every way in.

Each is read, or refused by a sentence that names its file.
"""
import io
import os
import shutil

import cv2
import numpy as np
import pytest
from bad_input import assert_no_rests, sentence_of
from PIL import Image
from tiny_data import picture

from egscit_mm.datasets import ExemplarImageDataset

SIZES = [(1, 1), (1, 31), (31, 1), (7, 5), (33, 18), (4, 4096)]
MODES = dict(png=['L', 'LA', 'RGB', 'RGBA', 'P', '1', 'I;16'], jpg=['L', 'RGB', 'CMYK'],
             tif=['L', 'RGB', 'RGBA', 'CMYK', 'I;16'], webp=['RGB', 'RGBA'], bmp=['L', 'RGB', 'P'])
WHOLE = [(size, mode, suffix) for suffix, modes in MODES.items() for mode in modes
         for size in SIZES]
# Decoders forgive some: a last line that is missing, or a checksum.
FORGIVEN = ('cut to 0.5', 'cut to 0.9', 'cut to 0.999', 'flipped bits', 'a header of another size')
PIPELINE = [
    dict(type='LoadImageFromFile', key='img_A', color_type='color', channel_order='bgr'),
    dict(type='LoadImageFromFile', key='img_B', color_type='color', channel_order='bgr'),
    dict(type='RandomZoomCrop', keys=['img_A', 'img_B'], prob=1.),
    dict(type='PackInputs', keys=['img_A', 'img_B']),
]


def content(size, mode, suffix):
    image = Image.fromarray(picture(*size))
    if mode == 'I;16':
        image = Image.fromarray(np.asarray(image.convert('L')).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, dict(jpg='JPEG', tif='TIFF').get(suffix, suffix.upper()))
    return buffer.getvalue()


def load_as_sample(path, folder):
    if path.suffix == '.webp':
        return  # MMagic's datasets list none; tools/dataset_converters/folders.py converts them
    for domain in 'AB':
        (folder / f'train{domain}').mkdir(parents=True)
    Image.fromarray(picture(8, 8)).save(folder / 'trainA' / 'good.png')
    shutil.copy(path, folder / 'trainB' / path.name)
    dataset = ExemplarImageDataset(folder, PIPELINE)
    image = dataset[0]['inputs']['img_B']
    assert image.shape[0] == 3 and image.numel() > 0


@pytest.mark.parametrize('size, mode, suffix', WHOLE, ids=lambda value: str(value))
def test_whole_images(size, mode, suffix, inferencer, tmp_path):
    path = tmp_path / f'image.{suffix}'
    path.write_bytes(content(size, mode, suffix))
    results = []
    assert sentence_of(lambda: results.append(inferencer(path, path))) is None
    assert results[0].shape == (*size, 3)
    sentence = sentence_of(load_as_sample, path, tmp_path / 'data')
    assert sentence is None or path.name in sentence


def damaged():
    """Name and content of files that are no whole image."""
    whole = {suffix: content((33, 18), 'RGB', suffix) for suffix in MODES}
    for suffix, bytes_ in whole.items():
        for share in (0, 0.01, 0.1, 0.5, 0.9, 0.999):
            yield f'cut to {share}', suffix, bytes_[:int(share * len(bytes_))]
        noise = bytearray(bytes_)
        for place in np.random.RandomState(0).randint(0, len(noise), 20):
            noise[place] ^= 0xff
        yield 'flipped bits', suffix, bytes(noise)
        yield 'zeros', suffix, bytes(len(bytes_))
        yield 'a header of another size', suffix, bytes_[:16] + b'\xff' * 8 + bytes_[24:]
    yield 'text', 'png', b'not an image'
    yield 'a page', 'jpg', b'<!DOCTYPE html><html><body>404</body></html>'
    yield 'an archive', 'png', b'PK\x03\x04' + bytes(100)
    yield 'postscript', 'png', b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'
    yield 'a vector image', 'png', b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize('kind, suffix, bytes_', damaged(), ids=lambda value: (
    value if isinstance(value, str) else ''))
def test_damaged_images(kind, suffix, bytes_, inferencer, tmp_path):
    path = tmp_path / f'image.{suffix}'
    path.write_bytes(bytes_)
    for way in (lambda: inferencer(path, path), lambda: load_as_sample(path, tmp_path / 'data')):
        sentence = sentence_of(way)
        assert sentence is None or path.name in sentence
        if suffix != 'webp' and kind not in FORGIVEN:
            assert sentence is not None
    assert_no_rests(tmp_path)


@pytest.mark.parametrize('suffix', MODES)
@pytest.mark.parametrize('of', MODES)
def test_wrong_suffixes(suffix, of, inferencer, tmp_path):
    path = tmp_path / f'image.{suffix}'
    path.write_bytes(content((33, 18), 'RGB', of))
    assert sentence_of(lambda: inferencer(path, path)) is None
    assert sentence_of(load_as_sample, path, tmp_path / 'data') is None


@pytest.mark.parametrize('name', [
    'süß.png', '日本.png', 'a b.png', "it's.png", '-rf.png', '%41.png', 'x' * 251 + '.png',
    'new\nline.png', '[1].png', '*.png', '$HOME.png', '.hidden.png', 'IMAGE.PNG', 'a.b.c.png'
])
def test_names(name, inferencer, tmp_path):
    path = tmp_path / name
    path.write_bytes(content((9, 8), 'RGB', 'png'))
    assert sentence_of(lambda: inferencer(path, path)) is None
    if not name.startswith('.'):
        assert sentence_of(load_as_sample, path, tmp_path / 'data') is None


def folder_named_png(path):
    path.mkdir()


def loop(path):
    path.symlink_to(path)


def dangling(path):
    path.symlink_to(path.with_name('gone.png'))


def missing(path):
    pass


def socket_like(path):
    os.mkfifo(path)


@pytest.mark.parametrize('make', [folder_named_png, loop, dangling, missing, socket_like])
def test_what_is_no_file(make, inferencer, tmp_path):
    path = tmp_path / 'image.png'
    make(path)
    if make is not socket_like:
        assert path.name in sentence_of(lambda: inferencer(path, path))
    for domain in 'AB':
        (tmp_path / f'train{domain}').mkdir()
        Image.fromarray(picture(8, 8)).save(tmp_path / f'train{domain}' / 'good.png')
    make(tmp_path / 'trainA' / 'image.png')
    sentence = sentence_of(lambda: [ExemplarImageDataset(tmp_path, PIPELINE)[i] for i in (0, 1)])
    # Not listed, and so not read; or named.
    assert sentence is None or 'image.png' in sentence or 'index 1' in sentence


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_no_permission(inferencer, tmp_path):
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), picture(8, 8))
    path.chmod(0)
    assert path.name in sentence_of(lambda: inferencer(path, path))
