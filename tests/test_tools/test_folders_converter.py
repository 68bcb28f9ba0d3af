# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import os
import time
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiny_sources import (
    converter,
    damage_member,
    encoded,
    fill_disk,
    read,
    run_converter,
    section,
    tree,
    truncate,
    write_folder,
    write_zip,
)

from egscit_mm.datasets import ExemplarImageDataset
from egscit_mm.datasets.conversion import ConversionError
from egscit_mm.utils.errors import UserError


def plain(value):
    return encoded(Image.new('RGB', (12, 8), (value, ) * 3))


def photos(count, start=0):
    return {f'day{i % 2}/{start + i}.png': plain(start + i) for i in range(count)}


@pytest.fixture
def folders(tmp_path):
    return dict(A=write_folder(tmp_path / 'summer', photos(10)),
                B=write_zip(tmp_path / 'winter.zip', photos(5, start=100)))


def run(folders, out, *more, workers=0):
    domains = [word for name, path in folders.items() for word in ('--domain', name, path)]
    return run_converter('folders', *domains, '--out', out, '--size', 4, 8, *more, workers=workers)


def values(out, folder):
    """First grey value of every image: the number in the tests' file names."""
    return sorted(int(read(path)[0, 0, 0]) for path in (out / folder).rglob('*.png'))


def test_split_and_names(folders, tmp_path):
    out = tmp_path / 'out'
    assert run(folders, out, '--test-fraction', 0.2) == 0
    assert len(values(out, 'testA')) == 2 and len(values(out, 'testB')) == 1
    assert sorted(values(out, 'trainA') + values(out, 'testA')) == list(range(10))
    assert sorted(values(out, 'trainB') + values(out, 'testB')) == list(range(100, 105))
    for path in out.rglob('*.png'):
        assert path.parent.name == f'day{int(path.stem) % 2}'  # folders are kept
        assert read(path).shape == (4, 8, 3)
    assert section(out, 'A')['settings'] == dict(
        converter='folders', size=[4, 8], resize='crop', format='png',
        split=dict(test_fraction=0.2, seed=0))
    assert len(ExemplarImageDataset(out, [])) == 8


def test_seed_chooses_the_test_set(folders, tmp_path):
    tests = []
    for number, seed in enumerate((1, 1, 2)):
        run(folders, tmp_path / f'{number}', '--seed', seed, '--test-fraction', 0.3)
        tests.append(values(tmp_path / f'{number}', 'testA'))
    assert tests[0] == tests[1] != tests[2]


def test_own_test_folder(folders, tmp_path):
    test = write_folder(tmp_path / 'held_out', photos(2, start=50))
    run(folders, tmp_path / 'out', '--test', 'A', test)
    assert values(tmp_path / 'out', 'trainA') == list(range(10))
    assert values(tmp_path / 'out', 'testA') == [50, 51]
    assert len(values(tmp_path / 'out', 'testB')) == 1  # drawn as before
    assert section(tmp_path / 'out', 'A')['sources']['test images']['files'] == 2


def test_one_domain_at_a_time(folders, tmp_path):
    """The other domain may come from another converter."""
    run(folders, tmp_path / 'both')
    for name, path in folders.items():
        run({name: path}, tmp_path / 'out')
    assert tree(tmp_path / 'out') == tree(tmp_path / 'both')


def test_worker_processes_give_the_same(folders, tmp_path):
    run(folders, tmp_path / 'here')
    run(folders, tmp_path / 'there', workers=2)
    assert tree(tmp_path / 'here') == tree(tmp_path / 'there')


def test_all_kinds_of_images_become_upright_rgb(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.zeros((4, 8, 3), np.uint8)
    turned[:, :4] = 200  # left; after turning clockwise: above
    transparent = np.full((4, 4, 4), 90, np.uint8)
    transparent[..., 3] = 255
    transparent[:, :2, 3] = 0
    palette = Image.new('P', (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    files = {
        'turned.jpg': encoded(turned, 'JPEG', quality=100, exif=exif.tobytes()),
        'grey.png': encoded(np.full((4, 4), 77, np.uint8)),
        'grey16.tif': encoded(np.full((4, 4), 50 * 257, np.uint16), 'TIFF'),
        'alpha.PNG': encoded(transparent),
        'palette.png': encoded(palette),
        'cmyk.jpg': encoded(Image.new('CMYK', (4, 4), (0, 0, 0, 255)), 'JPEG'),
        'x.webp': encoded(Image.new('RGB', (4, 4), (8, 8, 8)), 'WEBP', lossless=True),
    }
    folder = write_folder(tmp_path / 'in', files)
    test = write_folder(tmp_path / 'test', {'x.png': plain(1)})
    assert run_converter('folders', '--domain', 'A', folder, '--test', 'A', test, '--out',
                         tmp_path / 'out', '--size', 8, 4, '--resize', 'stretch') == 0
    images = {path.stem: read(path).astype(int) for path in (tmp_path / 'out/trainA').iterdir()}
    assert {image.shape for image in images.values()} == {(8, 4, 3)} and len(images) == 7
    assert (images['turned'][:3] > 195).all() and (images['turned'][5:] < 5).all()
    assert (images['grey'] == 77).all() and (images['grey16'] == 50).all()
    assert (images['alpha'][:, 0] > 250).all() and (abs(images['alpha'][:, 3] - 90) < 5).all()
    assert (images['palette'] == [10, 20, 30]).all() and (images['x'] == 8).all()
    assert (images['cmyk'] < 5).all()


@pytest.mark.parametrize('resize, expected', [('crop', [1, 1, 1, 1]), ('stretch', [0, 1, 1, 2])])
def test_crop_is_the_default_and_stretch_an_option(tmp_path, resize, expected):
    bands = np.zeros((4, 32, 3), np.uint8)
    bands[:, :8, 0] = bands[:, 8:24, 1] = bands[:, 24:, 2] = 255
    folder = write_folder(tmp_path / 'in', {'a.png': encoded(bands), 'b.png': encoded(bands)})
    option = () if resize == 'crop' else ('--resize', resize)
    run_converter('folders', '--domain', 'A', folder, '--out', tmp_path / 'out', '--size', 4, 4,
                  *option)
    image = read(next((tmp_path / 'out' / 'trainA').iterdir()))
    assert image[0].argmax(-1).tolist() == expected


def test_unreadable_and_foreign_files_are_named_and_the_others_kept(tmp_path, capsys):
    files = photos(6)
    files.update({'day0/cut.png': plain(1)[:50], 'day1/empty.jpg': b'', 'readme.txt': b'',
                  'day0/photo.heic': b'', 'day0/photo2.HEIC': b'', 'day0/0.jpg': plain(9)})
    folder = write_folder(tmp_path / 'in', files)
    (folder / 'day0' / 'broken.png').symlink_to(folder / 'nowhere')
    out = tmp_path / 'out'
    assert run_converter('folders', '--domain', 'A', folder, '--out', out, '--size', 4, 8) == 1
    failed = section(out, 'A')['failed']
    assert sorted(failed) == ['day0/0.png', 'day0/broken.png', 'day0/cut.png', 'day1/empty.jpg']
    assert failed['day0/0.png'].endswith('as day0/0.jpg does: rename one')
    assert 'No such file' in failed['day0/broken.png']
    assert section(out, 'A')['excluded'] == {'.heic': 2, '.txt': 1}
    printed = capsys.readouterr()
    assert 'not used: 2 (.heic)' in printed.out and '4 of domain A could not be used' in printed.err
    assert sorted(values(out, 'trainA') + values(out, 'testA')) == [1, 2, 3, 4, 5, 9]


def test_truncated_archive_is_named_and_nothing_written(folders, tmp_path):
    truncate(folders['B'])
    with pytest.raises(ConversionError, match='winter.zip is damaged or truncated'):
        run(folders, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()  # not even the good domain: it was checked before


def test_damaged_file_in_an_archive(folders, tmp_path):
    damage_member(folders['B'], 'day0/102.png')
    assert run(folders, tmp_path / 'out') == 1
    assert list(section(tmp_path / 'out', 'B')['failed']) == ['day0/102.png']
    assert section(tmp_path / 'out', 'A')['failed'] == {}


def test_full_disk(folders, tmp_path, monkeypatch):
    run(folders, tmp_path / 'whole')
    with monkeypatch.context() as patched:
        fill_disk(patched, after=4)
        with pytest.raises(UserError, match='No space left on device'):
            run(folders, tmp_path / 'out')
    left, whole = tree(tmp_path / 'out'), tree(tmp_path / 'whole')
    del left['manifest.json']
    assert len(left) == 3 and left.items() < whole.items()
    assert run(folders, tmp_path / 'out') == 0
    assert tree(tmp_path / 'out') == whole


@pytest.mark.parametrize('args, match', [
    (['--domain', 'A', 'x', '--domain', 'A', 'y', '--size', '4', '4'], 'named twice: A A'),
    (['--domain', 'A/B', 'x', '--size', '4', '4'], "letters and digits such as A, got 'A/B'"),
    (['--domain', 'A', 'x', '--test', 'C', 'y', '--size', '4', '4'], '--test names C, --domain'),
    (['--domain', 'A', 'x'], 'the following arguments are required: --size'),
])
def test_bad_arguments_are_named(tmp_path, capsys, args, match):
    with pytest.raises(SystemExit):
        run_converter('folders', *args, '--out', tmp_path / 'out')
    assert match in capsys.readouterr().err


@pytest.mark.parametrize('args', [
    ['--domain', 'A', 'x', '--domain', 'B', 'x/../x'],
    ['--domain', 'A', 'x/y', '--domain', 'B', 'x'],
    ['--domain', 'A', 'x', '--test', 'A', 'x/test'],
])
def test_no_image_is_in_two_sets(tmp_path, capsys, args):
    with pytest.raises(SystemExit):
        run_converter('folders', *args, '--size', 4, 4, '--out', tmp_path / 'out')
    assert 'name folders of which none holds another' in capsys.readouterr().err


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(ConversionError, match='nowhere does not exist'):
        run(dict(A=tmp_path / 'nowhere'), tmp_path / 'out')
    with pytest.raises(ConversionError, match='no .bmp/.* files in .*empty, found 1 .txt'):
        run(dict(A=write_folder(tmp_path / 'empty', {'x.txt': b''})), tmp_path / 'out')
    with pytest.raises(ConversionError, match='only 1 image: too few'):
        run(dict(A=write_folder(tmp_path / 'one', photos(1))), tmp_path / 'out')


def test_help_says_what_goes_in(capsys):
    with pytest.raises(SystemExit):
        run_converter('folders', '--help')
    text = capsys.readouterr().out
    assert converter('folders').__doc__ in text and 'EXIF' in text and 'photos/summer' in text


def changed_images(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
            for path in folder.rglob('*.png')}


@pytest.mark.parametrize('archived', [False, True])
def test_changed_sources_are_converted_anew(tmp_path, archived, capsys):
    """By time, as make does, but not what has only been copied."""
    source, out = tmp_path / 'in', tmp_path / 'out'

    def write(colours):
        source.mkdir(exist_ok=True)
        for index, colour in enumerate(colours):
            path = source / f'{index}.png'
            Image.new('RGB', (8, 8), colour).save(path)
            # Later than what was converted before, on any file system.
            later = time.time_ns() + 10**9
            os.utime(path, ns=(later, later))
        if archived:
            with zipfile.ZipFile(tmp_path / 'in.zip', 'w') as archive:
                for path in sorted(source.iterdir()):
                    archive.write(path, path.name)
            os.utime(tmp_path / 'in.zip', ns=(later, later))

    def made():
        before = changed_images(out)
        assert run(dict(A=tmp_path / 'in.zip' if archived else source), out) == 0
        return {name.rpartition('/')[2] for name, when in changed_images(out).items()
                if before.get(name) != when}

    write(['red', 'green', 'blue'])
    assert made() == {'0.png', '1.png', '2.png'}
    assert made() == set()
    write(['red', 'green', 'blue'])
    assert made() == set()
    write(['red', 'green', 'white'])
    assert '2.png' in made()
    assert 'are made anew' in capsys.readouterr().out
    shown, = out.glob('*/2.png')
    assert Image.open(shown).getpixel((0, 0)) == (255, 255, 255)


def test_names_that_are_one_file_on_some_systems(tmp_path, capsys):
    folders = dict(A=write_folder(tmp_path / 'in', {'a.png': plain(1), 'A.png': plain(2)}))
    test = write_folder(tmp_path / 'test', {'0.png': plain(3)})
    assert run(folders, tmp_path / 'out', '--test', 'A', test) == 1
    assert 'a.png: would become trainA/a.png, as A.png does: rename one' in capsys.readouterr().err
    assert values(tmp_path / 'out', 'trainA') == [2]


def test_sources_in_the_folder_to_write(tmp_path):
    (tmp_path / 'trainA').mkdir()
    for index in range(3):
        Image.new('RGB', (8, 8)).save(tmp_path / 'trainA' / f'{index}.png')
    with pytest.raises(ConversionError, match='trainA, where the images come from, lies in'):
        run(dict(A=tmp_path / 'trainA'), tmp_path)
