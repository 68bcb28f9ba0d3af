# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import hashlib
import json
import shutil
from collections import Counter
from colorsys import rgb_to_hsv
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import cv2
import numpy as np
import pytest
from tiny_sources import fill_disk, read, run_converter, tree, write_emnist, write_mnist

from egscit_mm.datasets import ExemplarImageDataset, conversion
from egscit_mm.datasets.conversion import ConversionError, painted
from egscit_mm.datasets.digits import STYLES
from egscit_mm.datasets.digits.pictures import SinglePicture

TRAIN_FOLDERS = ['trainA', 'trainB']
TEST_FOLDERS = ['testA', 'testB', 'testA2B', 'testB2A']
FOLDERS = TRAIN_FOLDERS + TEST_FOLDERS
IMAGES = dict(
    mnist_train='train-images-idx3-ubyte', mnist_test='t10k-images-idx3-ubyte',
    emnist_test='emnist-letters-test-images-idx3-ubyte')
# The miniatures have their labels in turn.
LABELS = dict(mnist=lambda index: index % 10, emnist=lambda index: index % 26 + 1)

run = partial(run_converter, 'mnist')


@pytest.fixture
def downloads(tmp_path):
    """The layout that torchvision gives its downloads."""
    write_mnist(tmp_path / 'downloads' / 'MNIST' / 'raw')
    write_emnist(tmp_path / 'downloads' / 'EMNIST' / 'raw')
    return tmp_path / 'downloads'


@pytest.fixture
def single(downloads, tmp_path):
    """Arguments of a small MNIST-Single, written to ``out``."""
    return ('--task', 'single', '--source', 'mnist', '--root', downloads, '--out', tmp_path / 'out',
            '--num-test', 60)


@pytest.fixture
def multiple(downloads, tmp_path):
    """Arguments of a small MNIST-Multiple, written to ``out``."""
    return ('--task', 'multiple', '--source', 'mnist', '--root', downloads, '--out',
            tmp_path / 'out', '--num-test', 20, '--num-train', 30)


def manifest_of(out):
    return json.loads((out / 'manifest.json').read_text())


def names_in(out, folder):
    return sorted(path.name for path in (out / folder).iterdir())


def strokes_of(downloads, source):
    """Binarised characters of a miniature, upright, read without the converter."""
    folder = downloads / source.split('_')[0].upper() / 'raw'
    images = np.frombuffer((folder / IMAGES[source]).read_bytes(), np.uint8, offset=16)
    images = images.reshape(-1, 28, 28)
    return (images.transpose(0, 2, 1) if source.startswith('emnist') else images) > 127.5


def parts(image, domain):
    """Foreground mask and style of a real digit, whose strokes cover less than half the image."""
    for name, style in STYLES[domain].items():
        foreground = (image == style.foreground).all(-1)
        if (foreground | (image == style.background).all(-1)).all() and foreground.mean() < 0.5:
            return foreground, name
    raise AssertionError(f'no style of domain {domain} fits')


def pixels(out):
    """md5 of the names and pixels of all pictures."""
    md5 = hashlib.md5()
    for path in sorted(out.rglob('*.png')):
        md5.update(str(path.relative_to(out)).encode())
        md5.update(read(path).tobytes())
    return md5.hexdigest()


# MNIST-Single


def test_layout_names_and_sizes(single, tmp_path):
    assert run(*single) == 0
    out = tmp_path / 'out'
    assert sorted(path.name for path in out.iterdir()) == sorted([*FOLDERS, 'manifest.json'])
    manifest = manifest_of(out)
    assert manifest['counts'] == dict.fromkeys(TRAIN_FOLDERS, 120) | dict.fromkeys(TEST_FOLDERS, 60)
    assert (manifest['task'], manifest['source'], manifest['seed']) == ('single', 'mnist', 0)
    assert manifest['image_size'] == [28, 28] and len(manifest['source_md5']) == 4
    for folder, count in manifest['counts'].items():
        names = names_in(out, folder)
        assert [name[:6] for name in names] == [f'{i:05d}_' for i in range(count)]
        assert all(name[6] in '0123456789' and name[7:] == '.png' for name in names)
        image = read(out / folder / names[0])
        assert image.shape == (28, 28, 3) and image.dtype == np.uint8


def test_single_is_what_it_always_was(single, tmp_path):
    # Figures of models stand beside the data that they were trained on: it must not change.
    run(*single)
    out = tmp_path / 'out'
    assert pixels(out) == '2366d02b4bad2d87f1d6c5ed4c1d9398'
    manifest = (out / 'manifest.json').read_bytes()
    assert hashlib.md5(manifest).hexdigest() == '3aaaf88bb2995676e0894950c8c3ed46'
    # The bytes of a PNG depend on OpenCV's version, its settings do not.
    path = next((out / 'testB').iterdir())
    _, png = cv2.imencode('.png', read(path)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert path.read_bytes() == png.tobytes()


def test_pairs_are_the_same_digits_in_styles_of_the_other_domains_training_set(tmp_path):
    digits = ('--source', 'digits', '--out', tmp_path / 'out', '--num-train', 200, '--num-test', 10)
    run(*digits)
    without = {path.relative_to(tmp_path / 'out'): path.read_bytes()
               for path in (tmp_path / 'out').rglob('*.png')}
    shutil.rmtree(tmp_path / 'out')
    assert run(*digits, '--pairs') == 0
    out = tmp_path / 'out'
    assert {path: (out / path).read_bytes() for path in without} == without
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*FOLDERS, 'trainA2B', 'trainB2A', 'manifest.json'])
    styles = Counter()
    for source, target in ('AB', 'BA'):
        folder = f'train{source}2{target}'
        assert names_in(out, folder) == names_in(out, f'train{source}')
        for name in names_in(out, folder):
            strokes, style = parts(read(out / folder / name), target)
            assert (strokes == parts(read(out / f'train{source}' / name), source)[0]).all()
            styles[target, style, int(name[6]) >= 5] += 1
    assert {style for target, style, biased in styles if target == 'B' and biased} == {
        'red_on_green'}
    assert {style for target, style, biased in styles if target == 'B' and not biased} == set(
        STYLES['B'])
    assert {style for target, style, _ in styles if target == 'A'} == set(STYLES['A'])


def test_pairs_of_multiple_digits(multiple, tmp_path):
    assert run(*multiple, '--pairs') == 0
    out = tmp_path / 'out'
    for folder in ('trainA2B', 'trainB2A'):
        assert len(names_in(out, folder)) == 30
    black_and_white = read(out / 'trainB2A' / '00000.png')
    assert set(np.unique(black_and_white)) <= {0, 255}
    assert len(np.unique(read(out / 'trainA2B' / '00000.png').reshape(-1, 3), axis=0)) == 11


def test_test_images_and_ground_truths_are_exact(single, downloads, tmp_path):
    run(*single)
    check_test_pictures(tmp_path / 'out', downloads, dict(A='mnist', B='mnist'))


def check_test_pictures(out, downloads, source_of):
    manifest = manifest_of(out)
    names = {folder: names_in(out, folder) for folder in TEST_FOLDERS}
    for content, exemplar in (('A', 'B'), ('B', 'A')):
        strokes = strokes_of(downloads, source_of[content] + '_test')
        truth_folder = f'test{content}2{exemplar}'
        # File i of the ground truths is named as file i of the content images.
        assert names[truth_folder] == names[f'test{content}']
        for content_name, exemplar_name in zip(names[f'test{content}'], names[f'test{exemplar}'],
                                               strict=True):
            entry = manifest['test'][f'test{content}'][content_name]
            style = STYLES[content][entry['style']]
            style_of_exemplar = STYLES[exemplar][
                manifest['test'][f'test{exemplar}'][exemplar_name]['style']]
            label = LABELS[source_of[content]](entry['digit'])
            assert content_name[5:] == f'_{label}.png'
            foreground = strokes[entry['digit']][..., None]
            np.testing.assert_array_equal(
                read(out / f'test{content}' / content_name),
                np.where(foreground, style.foreground, style.background))
            np.testing.assert_array_equal(
                read(out / truth_folder / content_name),
                np.where(foreground, style_of_exemplar.foreground, style_of_exemplar.background))


def test_every_folder_has_its_own_digits(single, tmp_path):
    run(*single)
    seen = Counter()
    for folder in FOLDERS[:4]:
        for path in (tmp_path / 'out' / folder).iterdir():
            image = read(path)
            # Tells a digit whatever its colours: the pixels that are as the first one.
            seen[(image == image[0, 0]).all(-1).tobytes()] += 1
    assert len(seen) == 2 * 120 + 2 * 60 and set(seen.values()) == {1}


def test_styles_of_the_folders(tmp_path):
    run('--source', 'digits', '--out', tmp_path / 'out')
    assert manifest_of(tmp_path / 'out')['counts'] == (
        dict.fromkeys(TRAIN_FOLDERS, 2000) | dict.fromkeys(TEST_FOLDERS, 500))
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


def test_manifest_tells_the_styles_of_the_test_images(tmp_path):
    run('--source', 'digits', '--out', tmp_path / 'out', '--num-test', 40, '--num-train', 10)
    manifest = manifest_of(tmp_path / 'out')
    assert set(manifest['test']) == set(TEST_FOLDERS)
    for folder, domain in (('testA', 'A'), ('testB', 'B'), ('testA2B', 'B'), ('testB2A', 'A')):
        assert len(manifest['test'][folder]) == 40
        for name, entry in manifest['test'][folder].items():
            assert parts(read(tmp_path / 'out' / folder / name), domain)[1] == entry['style']


# EMNIST's letters


def test_letters_are_a_test_set(downloads, tmp_path):
    out = tmp_path / 'out'
    run('--source', 'emnist', '--root', downloads, '--out', out, '--num-test', 60)
    assert sorted(path.name for path in out.iterdir()) == sorted([*TEST_FOLDERS, 'manifest.json'])
    manifest = manifest_of(out)
    assert manifest['source'] == 'emnist' and len(manifest['source_md5']) == 2
    check_test_pictures(out, downloads, dict(A='emnist', B='emnist'))
    digits = [entry['digit'] for folder in ('testA', 'testB')
              for entry in manifest['test'][folder].values()]
    assert len(set(digits)) == 120
    styles = Counter(entry['style'] for entry in manifest['test']['testB'].values())
    assert set(styles) == set(STYLES['B'])
    assert all(abs(count - 10) < 4 * np.sqrt(60 * 5 / 36) for count in styles.values())
    # The whole test set is there without training folders.
    dataset = ExemplarImageDataset(out, [], test_mode=True)
    assert len(dataset) == 60
    assert {'gt_A2B_path', 'gt_B2A_path'} < set(dataset[0])


@pytest.mark.parametrize('source_of', [dict(A='emnist', B='mnist'), dict(B='emnist', A='mnist')])
def test_each_domain_may_have_its_own_source(downloads, tmp_path, source_of):
    out = tmp_path / 'out'
    run('--source', *(f'{domain}={source}' for domain, source in source_of.items()), '--root',
        downloads, '--out', out, '--num-test', 60)
    assert manifest_of(out)['source'] == source_of and len(manifest_of(out)['source_md5']) == 4
    assert not (out / 'trainA').exists()
    check_test_pictures(out, downloads, source_of)


def test_letters_beside_digits_that_need_no_files(downloads, tmp_path):
    run('--source', 'A=digits', 'B=emnist', '--root', downloads, '--out', tmp_path / 'mixed',
        '--num-test', 30)
    run('--source', 'digits', '--out', tmp_path / 'digits', '--num-test', 30)
    shown = {folder: {parts(read(path), 'A')[0].tobytes() for path in folder.iterdir()}
             for folder in (tmp_path / 'mixed' / 'testA', tmp_path / 'digits' / 'trainA')}
    # No test digit is one that a model saw in training with the same seed.
    assert [len(digits) for digits in shown.values()] == [30, 2000]
    assert set.isdisjoint(*shown.values())


def test_two_roots_and_pairs_of_one_source(downloads, tmp_path):
    run('--source', 'A=mnist', 'B=mnist', '--root', tmp_path, downloads, '--out', tmp_path / 'two',
        '--num-test', 60)
    run('--source', 'mnist', '--root', downloads, '--out', tmp_path / 'one', '--num-test', 60)
    assert tree(tmp_path / 'one') == tree(tmp_path / 'two')


# MNIST-Multiple


def cells_of(image):
    """The 16 cells of a picture, row by row."""
    return image.reshape(4, 28, 4, 28, 3).swapaxes(1, 2).reshape(16, 28, 28, 3)


def test_multiple_has_all_ten_digits_in_distinct_cells(multiple, downloads, tmp_path):
    assert run(*multiple) == 0
    out = tmp_path / 'out'
    manifest = manifest_of(out)
    assert manifest['counts'] == dict.fromkeys(TRAIN_FOLDERS, 30) | dict.fromkeys(TEST_FOLDERS, 20)
    assert manifest['task'] == 'multiple' and manifest['image_size'] == [112, 112]
    seen = {}
    for folder in FOLDERS[:4]:
        strokes = strokes_of(downloads, f'mnist_{folder[:-1]}')
        index_of = {mask.tobytes(): index for index, mask in enumerate(strokes)}
        names = names_in(out, folder)
        assert names == [f'{i:05d}.png' for i in range(manifest['counts'][folder])]
        seen[folder] = Counter()
        for name in names:
            image = read(out / folder / name)
            assert image.shape == (112, 112, 3) and image.dtype == np.uint8
            cells = cells_of(image)
            flat = [cell for cell in cells if (cell == cell[0, 0]).all()]
            assert len(flat) == 6
            background = flat[0][0, 0]
            assert all((cell[0, 0] == background).all() for cell in flat)
            masks = {number: (cell != background).any(-1) for number, cell in enumerate(cells)}
            indices = [index_of[mask.tobytes()] for mask in masks.values() if mask.any()]
            assert sorted(index % 10 for index in indices) == list(range(10))  # the labels
            seen[folder].update(indices)
    for split in ('train', 'test'):
        assert not seen[f'{split}A'].keys() & seen[f'{split}B'].keys()
    # 300 draws of 120 digits: they come again, and nearly all of them come.
    assert max(seen['trainA'].values()) > 1 and len(seen['trainA']) > 100


def test_multiple_colours_and_ground_truths(multiple, downloads, tmp_path):
    run(*multiple)
    out = tmp_path / 'out'
    test = manifest_of(out)['test']
    strokes = strokes_of(downloads, 'mnist_test')
    names = names_in(out, 'testA')
    assert all(names_in(out, folder) == names for folder in TEST_FOLDERS)
    seen = {folder: [] for folder in ('testA', 'testB')}
    colours, backgrounds = {}, {}
    for folder in seen:
        for name in names:
            entry = test[folder][name]
            cells = cells_of(read(out / folder / name))
            (free, *_) = set(range(16)) - set(entry['cells'])
            background = tuple(cells[free][0, 0])
            colour = []
            for label, (index, cell) in enumerate(zip(entry['digits'], entry['cells'],
                                                      strict=True)):
                assert index % 10 == label
                found = np.unique(cells[cell][strokes[index]], axis=0)
                assert len(found) == 1 and (cells[cell][~strokes[index]] == background).all()
                colour.append(tuple(found[0].tolist()))
            backgrounds[folder, name], colours[folder, name] = background, colour
            assert [entry['background'], *entry['colours']] == [
                '#{:02x}{:02x}{:02x}'.format(*rgb) for rgb in (background, *colour)]
            assert background in ((0, 0, 0), (255, 255, 255))
            if folder == 'testA':
                assert set(colour) == {tuple(255 - int(value) for value in background)}
            for label, rgb in enumerate(colour if folder == 'testB' else ()):
                hue, saturation, value = rgb_to_hsv(*(channel / 255 for channel in rgb))
                assert abs((hue - label / 10 + 0.5) % 1 - 0.5) < 0.01
                assert 0.29 < saturation < 0.71 and 0.298 < value < 0.702
    assert len(set(backgrounds.values())) == 2
    for content, exemplar in (('A', 'B'), ('B', 'A')):
        for name in names:
            entry = test[f'test{content}'][name]
            expected = np.empty((16, 28, 28, 3), np.uint8)
            expected[:] = backgrounds[f'test{exemplar}', name]
            for index, cell, colour in zip(entry['digits'], entry['cells'],
                                           colours[f'test{exemplar}', name], strict=True):
                expected[cell][strokes[index]] = colour
            truth = read(out / f'test{content}2{exemplar}' / name)
            np.testing.assert_array_equal(cells_of(truth), expected)


def test_multiple_of_digits_that_need_no_files(tmp_path):
    out = tmp_path / 'out'
    run('--task', 'multiple', '--source', 'digits', '--out', out, '--num-train', 5)
    assert manifest_of(out)['counts'] == dict(
        dict.fromkeys(TRAIN_FOLDERS, 5), **dict.fromkeys(TEST_FOLDERS, 500))


def test_multiple_names_the_digit_that_a_domain_lacks(multiple, downloads, tmp_path):
    raw = downloads / 'MNIST' / 'raw'
    labels = bytearray((raw / 'train-labels-idx1-ubyte').read_bytes())
    labels[8:] = bytes(label if label != 7 else 1 for label in labels[8:])
    (raw / 'train-labels-idx1-ubyte').write_bytes(labels)
    with pytest.raises(ConversionError, match='domain A has no 7 among its 120 train digits'):
        run(*multiple)
    assert not (tmp_path / 'out').exists()


# Repeating and interrupting


@pytest.mark.parametrize('task', ['single', 'multiple'])
@pytest.mark.parametrize('source', ['mnist', 'digits'])
def test_same_seed_same_bytes_other_seed_other_bytes(downloads, tmp_path, task, source):
    root = ('--root', downloads) if source == 'mnist' else ()
    outs = []
    for seed, workers in ((3, 0), (3, 2), (4, 0)):
        outs.append(tmp_path / f'out{len(outs)}')
        run('--task', task, '--source', source, *root, '--out', outs[-1], '--seed', seed,
            '--num-train', 90, '--num-test', 20, workers=workers)
    first, second, other = map(tree, outs)
    assert first == second
    assert first != other and len(first) == len(other) == 2 * 90 + 4 * 20 + 1


def test_complete_output_is_kept_and_said_so(single, multiple, tmp_path, capsys):
    for args in (single, multiple):
        run(*args)
        stamp = (tmp_path / 'out' / 'manifest.json').stat().st_mtime_ns
        capsys.readouterr()
        assert run(*args) == 0
        assert 'out is already complete' in capsys.readouterr().out
        assert (tmp_path / 'out' / 'manifest.json').stat().st_mtime_ns == stamp
        shutil.rmtree(tmp_path / 'out')


def test_other_output_is_refused(single, downloads, tmp_path):
    run(*single)
    before = tree(tmp_path / 'out')
    with pytest.raises(ConversionError, match='out exists and was not written with these'):
        run(*single, '--seed', 1)
    assert tree(tmp_path / 'out') == before
    with pytest.raises(ConversionError, match='choose another --out'):
        run(*single, '--out', downloads)


def test_damaged_output_is_refused(single, tmp_path):
    run(*single)
    next((tmp_path / 'out' / 'testB').iterdir()).unlink()
    with pytest.raises(ConversionError, match='testB holds 59 PNG files, but .* says 60'):
        run(*single)


def test_empty_output_folder_is_filled(single, tmp_path):
    (tmp_path / 'out').mkdir()
    run(*single)
    assert (tmp_path / 'out' / 'manifest.json').is_file()


def test_interrupted_run_leaves_nothing_and_starts_over(single, tmp_path, monkeypatch):
    painted, paint = [], SinglePicture.paint

    def interrupted(picture, sources):
        painted.append(picture)
        if len(painted) == 200:
            raise KeyboardInterrupt
        return paint(picture, sources)

    monkeypatch.setattr(SinglePicture, 'paint', interrupted)
    out = tmp_path / 'place' / 'out'
    with pytest.raises(SystemExit, match='Interrupted. Nothing is kept'):
        conversion.exit_with(partial(run, *single, '--out', out), 'Nothing is kept')
    assert len(painted) == 200 and list((tmp_path / 'place').iterdir()) == []
    assert run(*single, '--out', out) == 0
    assert len(painted) == 200 + 2 * 120 + 4 * 60


@pytest.mark.parametrize('after', [0, 150, 480])  # 480 pictures, then the manifest
def test_full_disk_leaves_nothing(single, tmp_path, monkeypatch, after):
    fill_disk(monkeypatch, after)
    with pytest.raises(ConversionError, match='cannot write .*out: No space left on device'):
        run(*single, '--out', tmp_path / 'place' / 'out')
    assert list((tmp_path / 'place').iterdir()) == []


def test_killed_worker_leaves_nothing(single, tmp_path, monkeypatch):

    def broken(function, items, workers, chunksize):
        yield function(items[0])
        raise BrokenProcessPool

    monkeypatch.setattr(painted, 'map_in_workers', broken)
    with pytest.raises(ConversionError, match='a worker process was killed.*fewer --workers'):
        run(*single, '--out', tmp_path / 'place' / 'out')
    assert list((tmp_path / 'place').iterdir()) == []


# Errors


@pytest.mark.parametrize('task', ['single', 'multiple'])
def test_truncated_source_leaves_nothing(single, multiple, downloads, tmp_path, task):
    path = downloads / 'MNIST' / 'raw' / 't10k-images-idx3-ubyte'
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConversionError, match='t10k-images-idx3-ubyte is damaged or truncated'):
        run(*dict(single=single, multiple=multiple)[task])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('option, number, match', [
    ('--num-train', 121, 'needs 242 of mnist .* has 240 for train: ask for at most 120'),
    ('--num-test', 66, 'needs 132 of mnist .* has 130 for test: ask for at most 65'),
])
def test_too_many_pictures_are_refused(single, option, number, match):
    with pytest.raises(ConversionError, match=match):
        run(*single, option, number)


@pytest.mark.parametrize('option, number, match', [
    ('--num-train', 2001, 'needs 4002 of digits .* has 4000 for train: ask for at most 2000'),
    ('--num-test', 501, 'needs 1002 of digits .* has 1000 for test: ask for at most 500'),
])
def test_too_many_of_the_digits_that_need_no_files(tmp_path, option, number, match):
    with pytest.raises(ConversionError, match=match):
        run('--source', 'digits', '--out', tmp_path / 'out', option, number)


def test_too_many_of_one_of_two_sources_are_refused(downloads, tmp_path):
    with pytest.raises(ConversionError, match='--num-test 131 needs 131 of mnist .* at most 130'):
        run('--source', 'A=emnist', 'B=mnist', '--root', downloads, '--out', tmp_path / 'out',
            '--num-test', 131)


@pytest.mark.parametrize('args, match', [
    (['--source', 'mnist'], '--root goes with --source mnist'),
    (['--source', 'A=emnist', 'B=digits'], '--root goes with --source mnist and emnist'),
    (['--source', 'digits', '--root', 'x'], '--root goes with --source mnist'),
    (['--source', 'cifar'], "--source must be mnist, emnist, digits, got 'cifar'"),
    (['--source', 'A=mnist'], 'or one for each domain such as A=emnist B=mnist; got A=mnist'),
    (['--source', 'A=mnist', 'A=digits', 'B=digits'], 'or one for each domain'),
    (['--source', 'mnist', 'digits'], 'or one for each domain'),
    (['--source', 'A=digits', 'B=mnist', '--root', 'x'], 'digits is a part of mnist'),
    (['--task', 'multiple', '--source', 'emnist', '--root', 'x'], 'which emnist, the letters, doe'),
    (['--task', 'multiple', '--source', 'A=mnist', 'B=emnist', '--root', 'x'], 'does not have'),
    (['--source', 'emnist', '--root', 'x', '--num-train', '5'], 'letters are for testing only'),
    (['--source', 'emnist', '--root', 'x', '--pairs'], 'letters are for testing only'),
    (['--source', 'digits', '--num-test', '0'], '--num-test must be at least 1, got 0'),
    (['--source', 'digits', '--seed', '-1'], '--seed must be in'),
])
def test_bad_arguments_are_named(tmp_path, capsys, args, match):
    with pytest.raises(SystemExit):
        run(*args, '--out', tmp_path / 'out')
    assert match in capsys.readouterr().err


def test_negative_number_of_workers_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run('--source', 'digits', '--out', tmp_path / 'out', workers=-1)
    assert '--workers: must be at least 0, got -1' in capsys.readouterr().err
