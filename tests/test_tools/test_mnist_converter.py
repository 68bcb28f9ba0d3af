# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import gzip
import importlib.util
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from egscit_mm.datasets.digits import STYLES

REPOSITORY = Path(__file__).parents[2]
REAL_MNIST = REPOSITORY.parent / 'shared' / 'data' / 'mnist'
FOLDERS = ['trainA', 'trainB', 'testA', 'testB', 'testA2B', 'testB2A']
NUM_TRAIN_DIGITS, NUM_TEST_DIGITS = 240, 130


@pytest.fixture(scope='module')
def converter():
    path = REPOSITORY / 'tools' / 'dataset_converters' / 'mnist.py'
    spec = importlib.util.spec_from_file_location('mnist_converter', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(converter, monkeypatch):

    def run_with(*args) -> None:
        monkeypatch.setattr(sys, 'argv', ['mnist.py', *map(str, args)])
        converter.main()

    return run_with


def write_idx(path: Path, array: np.ndarray) -> None:
    content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes()
    content += array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)


def write_mnist(folder: Path, suffix: str = '') -> Path:
    """Random blots, so that every digit is unlike every other one, with labels 0..9 in turn."""
    rng = np.random.RandomState(0)
    folder.mkdir(parents=True)
    for prefix, count in (('train', NUM_TRAIN_DIGITS), ('t10k', NUM_TEST_DIGITS)):
        images = rng.randint(0, 256, (count, 28, 28), np.uint8)
        write_idx(folder / f'{prefix}-images-idx3-ubyte{suffix}', images)
        labels = np.arange(count, dtype=np.uint8) % 10
        write_idx(folder / f'{prefix}-labels-idx1-ubyte{suffix}', labels)
    return folder


@pytest.fixture
def mnist(tmp_path):
    return write_mnist(tmp_path / 'mnist')


def mnist_args(root: Path, out: Path, *more) -> tuple:
    return ('--task', 'single', '--source', 'mnist', '--root', root, '--out', out, '--num-test', 60,
            *more)


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]  # RGB


def parts(image: np.ndarray, domain: str) -> tuple[np.ndarray, str]:
    """Foreground mask and style of a real digit, whose strokes cover less than half the image."""
    for name, style in STYLES[domain].items():
        foreground = (image == style.foreground).all(-1)
        if (foreground | (image == style.background).all(-1)).all() and foreground.mean() < 0.5:
            return foreground, name
    raise AssertionError(f'no style of domain {domain} fits')


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob('*')) if path.is_file()}


# The pictures


def test_layout_names_and_sizes(run, mnist, tmp_path):
    run(*mnist_args(mnist, tmp_path / 'out'))
    out = tmp_path / 'out'
    assert sorted(path.name for path in out.iterdir()) == sorted([*FOLDERS, 'manifest.json'])
    manifest = json.loads((out / 'manifest.json').read_text())
    assert manifest['counts'] == dict.fromkeys(FOLDERS[:2], 120) | dict.fromkeys(FOLDERS[2:], 60)
    assert (manifest['task'], manifest['source'], manifest['seed']) == ('single', 'mnist', 0)
    assert manifest['image_size'] == [28, 28] and len(manifest['source_md5']) == 4
    for folder, count in manifest['counts'].items():
        paths = sorted((out / folder).iterdir())
        assert [path.name[:6] for path in paths] == [f'{i:05d}_' for i in range(count)]
        assert all(path.name[6] in '0123456789' and path.suffix == '.png' for path in paths)
        assert read(paths[0]).shape == (28, 28, 3) and read(paths[0]).dtype == np.uint8


def test_test_images_and_ground_truths_are_exact(run, converter, mnist, tmp_path):
    run(*mnist_args(mnist, tmp_path / 'out'))
    out = tmp_path / 'out'
    manifest = json.loads((out / 'manifest.json').read_text())
    digits = converter.read_idx(mnist / 't10k-images-idx3-ubyte', 3)
    sorted_names = {folder: sorted(path.name for path in (out / folder).iterdir())
                    for folder in FOLDERS}
    for content, exemplar in (('A', 'B'), ('B', 'A')):
        truth_folder = f'test{content}2{exemplar}'
        # File i of the ground truths is named as file i of the content images.
        assert sorted_names[truth_folder] == sorted_names[f'test{content}']
        for content_name, exemplar_name in zip(
                sorted_names[f'test{content}'], sorted_names[f'test{exemplar}'], strict=True):
            entry = manifest['test'][f'test{content}'][content_name]
            style = STYLES[content][entry['style']]
            style_of_exemplar = STYLES[exemplar][
                manifest['test'][f'test{exemplar}'][exemplar_name]['style']]
            assert int(content_name[6]) == entry['digit'] % 10  # write_mnist's labels
            foreground = (digits[entry['digit']] > 127.5)[..., None]
            np.testing.assert_array_equal(
                read(out / f'test{content}' / content_name),
                np.where(foreground, style.foreground, style.background))
            np.testing.assert_array_equal(
                read(out / truth_folder / content_name),
                np.where(foreground, style_of_exemplar.foreground, style_of_exemplar.background))


def test_every_folder_has_its_own_digits(run, mnist, tmp_path):
    run(*mnist_args(mnist, tmp_path / 'out'))
    seen = Counter()
    for folder in FOLDERS[:4]:
        for path in (tmp_path / 'out' / folder).iterdir():
            image = read(path)
            # Tells a digit whatever its colours: the pixels that are as the first one.
            seen[(image == image[0, 0]).all(-1).tobytes()] += 1
    assert len(seen) == 2 * 120 + 2 * 60 and set(seen.values()) == {1}


def test_styles_of_the_folders(run, tmp_path):
    run('--source', 'digits', '--out', tmp_path / 'out')
    styles = {folder: Counter() for folder in FOLDERS[:4]}
    for folder, counts in styles.items():
        for path in (tmp_path / 'out' / folder).iterdir():
            _, style = parts(read(path), folder[-1])
            counts[('0-4' if path.name[6] in '01234' else '5-9', style)] += 1
    for folder in ('trainA', 'testA', 'testB'):
        assert set(styles[folder]) == {(group, style) for group in ('0-4', '5-9')
                                       for style in STYLES[folder[-1]]}
    assert set(styles['trainB']) == ({('0-4', style) for style in STYLES['B']} |
                                     {('5-9', 'red_on_green')})
    for folder, counts in styles.items():
        total = sum(counts[('0-4', style)] for style in STYLES[folder[-1]])
        share = 1 / len(STYLES[folder[-1]])
        tolerance = 4 * np.sqrt(share * (1 - share) / total)  # four standard deviations
        for style in STYLES[folder[-1]]:
            assert abs(counts[('0-4', style)] / total - share) < tolerance


def test_manifest_tells_the_styles_of_the_test_images(run, tmp_path):
    run('--source', 'digits', '--out', tmp_path / 'out', '--num-test', 40)
    manifest = json.loads((tmp_path / 'out' / 'manifest.json').read_text())
    assert set(manifest['test']) == set(FOLDERS[2:])
    for folder, domain in (('testA', 'A'), ('testB', 'B'), ('testA2B', 'B'), ('testB2A', 'A')):
        assert len(manifest['test'][folder]) == 40
        for name, entry in manifest['test'][folder].items():
            assert parts(read(tmp_path / 'out' / folder / name), domain)[1] == entry['style']


def test_sklearn_digits_look_like_mnist_digits(converter):
    digits, md5 = converter.load_sklearn_digits(400, np.random.RandomState(0))
    assert {split: len(part.labels) for split, part in digits.items()} == dict(test=400, train=1397)
    assert list(md5) == ['sklearn.datasets.load_digits']
    images = np.concatenate([part.images for part in digits.values()])
    assert images.dtype == np.uint8 and images.shape == (1797, 28, 28)
    assert not images[:, :4].any() and not images[:, -4:].any()  # MNIST's border
    strokes = images > 127.5
    # MNIST's digits cover 13 % of the image; none may be lost or drowned when binarised.
    assert 0.12 < strokes.mean() < 0.2
    assert strokes.mean((1, 2)).min() > 0.08 and strokes.mean((1, 2)).max() < 0.35
    solid = [cv2.connectedComponents(stroke.astype(np.uint8))[0] == 2 for stroke in strokes]
    assert np.mean(solid) > 0.97  # one piece each, besides the background
    zeros = images[np.concatenate([part.labels for part in digits.values()]) == 0] <= 127.5
    with_hole = [cv2.connectedComponents(zero.astype(np.uint8), connectivity=4)[0] == 3
                 for zero in zeros]
    assert np.mean(with_hole) > 0.8  # linear interpolation opens or fills most of them


@pytest.mark.skipif(not REAL_MNIST.is_dir(), reason='real MNIST is not there')
def test_real_mnist(run, converter, tmp_path):
    digits, _ = converter.load_mnist(REAL_MNIST)
    assert digits['train'].images.shape == (60000, 28, 28)
    assert digits['train'].labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert digits['test'].labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    run(*mnist_args(REAL_MNIST, tmp_path / 'out', '--num-train', 20))
    path = next((tmp_path / 'out' / 'testB').iterdir())
    assert parts(read(path), 'B')[1] in STYLES['B']


# Repeating and interrupting


@pytest.mark.parametrize('source', ['mnist', 'digits'])
def test_same_seed_same_bytes_other_seed_other_bytes(run, mnist, tmp_path, source):
    root = ('--root', mnist) if source == 'mnist' else ()
    outs = []
    for seed in (3, 3, 4):
        outs.append(tmp_path / f'out{len(outs)}')
        run('--source', source, *root, '--out', outs[-1], '--seed', seed, '--num-train', 30,
            '--num-test', 20)
    first, second, other = map(files, outs)
    assert first == second
    assert first != other and len(first) == len(other) == 2 * 30 + 4 * 20 + 1


@pytest.mark.parametrize('place', ['', 'MNIST/raw'])
@pytest.mark.parametrize('suffix', ['', '.gz'])
def test_gzipped_plain_and_torchvision_layouts_give_the_same(run, mnist, tmp_path, place, suffix):
    write_mnist(tmp_path / 'other' / place, suffix)
    run(*mnist_args(mnist, tmp_path / 'first'))
    run(*mnist_args(tmp_path / 'other', tmp_path / 'second'))
    first, second = files(tmp_path / 'first'), files(tmp_path / 'second')
    for contents in (first, second):
        del contents['manifest.json']  # its md5 sums are those of the files as they are
    assert first == second


def test_complete_output_is_kept_and_said_so(run, mnist, tmp_path, capsys):
    out = tmp_path / 'new' / 'out'
    run(*mnist_args(mnist, out))
    stamp = (out / 'manifest.json').stat().st_mtime_ns
    capsys.readouterr()
    run(*mnist_args(mnist, out))
    assert f'{out} is already complete' in capsys.readouterr().out
    assert (out / 'manifest.json').stat().st_mtime_ns == stamp


def test_other_output_is_refused(run, mnist, tmp_path):
    out = tmp_path / 'out'
    run(*mnist_args(mnist, out))
    before = files(out)
    with pytest.raises(FileExistsError, match='out exists and was not written with these'):
        run(*mnist_args(mnist, out, '--seed', 1))
    assert files(out) == before
    with pytest.raises(FileExistsError, match='choose another --out'):
        run(*mnist_args(mnist, mnist))


def test_damaged_output_is_refused(run, mnist, tmp_path):
    out = tmp_path / 'out'
    run(*mnist_args(mnist, out))
    next((out / 'testB').iterdir()).unlink()
    with pytest.raises(FileExistsError, match='testB holds 59 PNG files, but .* says 60'):
        run(*mnist_args(mnist, out))


def test_empty_output_folder_is_filled(run, mnist, tmp_path):
    (tmp_path / 'out').mkdir()
    run(*mnist_args(mnist, tmp_path / 'out'))
    assert (tmp_path / 'out' / 'manifest.json').is_file()


def test_interrupted_run_leaves_nothing(run, converter, mnist, tmp_path, monkeypatch):
    painted = []

    def interrupted(mask, style):
        painted.append(mask)
        if len(painted) == 200:
            raise KeyboardInterrupt
        return np.zeros((28, 28, 3), np.uint8)

    monkeypatch.setattr(converter, 'paint', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(*mnist_args(mnist, tmp_path / 'place' / 'out'))
    assert len(painted) == 200 and list((tmp_path / 'place').iterdir()) == []


# Errors


def test_missing_file_says_what_is_expected(run, mnist, tmp_path):
    (mnist / 't10k-labels-idx1-ubyte').unlink()
    with pytest.raises(FileNotFoundError) as caught:
        run(*mnist_args(mnist, tmp_path / 'out'))
    message = str(caught.value)
    assert f'no t10k-labels-idx1-ubyte in {mnist}' in message
    assert str(mnist / 'MNIST' / 'raw' / 't10k-labels-idx1-ubyte.gz') in message
    assert '--source digits' in message
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('left', [0, 3, 6, 12, 1000, -1])
def test_truncated_file_is_named(run, tmp_path, suffix, left):
    root = write_mnist(tmp_path / 'mnist', suffix)
    path = root / f'train-images-idx3-ubyte{suffix}'
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match='damaged or truncated|not an idx file') as caught:
        run(*mnist_args(root, tmp_path / 'out'))
    assert str(path) in str(caught.value)


def test_corrupted_gzip_and_foreign_file_are_named(run, tmp_path):
    root = write_mnist(tmp_path / 'mnist', '.gz')
    path = root / 'train-labels-idx1-ubyte.gz'
    content = bytearray(path.read_bytes())
    content[-6] ^= 255  # its checksum
    for bad in (bytes(content), b'<html>404</html>'):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match='train-labels-idx1-ubyte.gz is damaged'):
            run(*mnist_args(root, tmp_path / 'out'))


def test_files_that_do_not_belong_together_are_refused(run, mnist, tmp_path):
    labels = mnist / 'train-labels-idx1-ubyte'
    shutil.copy(mnist / 't10k-labels-idx1-ubyte', labels)
    with pytest.raises(ValueError, match='240 images, but .*train-labels.* 130 labels'):
        run(*mnist_args(mnist, tmp_path / 'out'))
    write_idx(labels, np.full(NUM_TRAIN_DIGITS, 10, np.uint8))
    with pytest.raises(ValueError, match='train-labels-idx1-ubyte holds the label 10'):
        run(*mnist_args(mnist, tmp_path / 'out'))
    shutil.copy(mnist / 'train-images-idx3-ubyte', labels)
    with pytest.raises(ValueError, match='train-labels.* is not an idx file of bytes in 1 dim'):
        run(*mnist_args(mnist, tmp_path / 'out'))


def test_images_of_another_size_are_refused(run, mnist, tmp_path):
    write_idx(mnist / 'train-images-idx3-ubyte', np.zeros((240, 8, 9), np.uint8))
    with pytest.raises(ValueError, match='holds images of 8x9 pixels, expected 28x28'):
        run(*mnist_args(mnist, tmp_path / 'out'))


@pytest.mark.parametrize('option, number, match', [
    ('--num-train', 121, 'needs 242 digits .* has 240 train digits: ask for at most 120'),
    ('--num-test', 66, 'needs 132 digits .* has 130 test digits: ask for at most 65'),
])
def test_too_many_pictures_are_refused(run, mnist, tmp_path, option, number, match):
    with pytest.raises(ValueError, match=match):
        run(*mnist_args(mnist, tmp_path / 'out', option, number))


def test_sklearn_digits_keep_some_for_training(run, tmp_path):
    with pytest.raises(ValueError, match='1800 of the 1797 digits .* --num-test of at most 897'):
        run('--source', 'digits', '--out', tmp_path / 'out', '--num-test', 900)


@pytest.mark.parametrize('args, match', [
    (['--source', 'mnist'], '--root goes with --source mnist'),
    (['--source', 'digits', '--root', 'x'], '--root goes with --source mnist'),
    (['--source', 'digits', '--num-test', '0'], '--num-test must be at least 1, got 0'),
    (['--source', 'digits', '--seed', '-1'], '--seed must be in'),
])
def test_bad_arguments_are_named(run, tmp_path, capsys, args, match):
    with pytest.raises(SystemExit):
        run(*args, '--out', tmp_path / 'out')
    assert match in capsys.readouterr().err
