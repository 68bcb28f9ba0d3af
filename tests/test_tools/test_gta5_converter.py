# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
from mmagic.datasets.transforms import LoadImageFromFile
from PIL import Image
from scipy.io import savemat
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

SIZE = (38, 22)  # width, height of a frame: GTA5's shape
# The palette of the official labels, by Cityscapes' class number 0..33, and 34 (licence plate).
PALETTE = [
    (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (20, 20, 20), (111, 74, 0), (81, 0, 81),
    (128, 64, 128), (244, 35, 232), (250, 170, 160), (230, 150, 140), (70, 70, 70),
    (102, 102, 156), (190, 153, 153), (180, 165, 180), (150, 100, 100), (150, 120, 90),
    (153, 153, 153), (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35),
    (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70),
    (0, 60, 100), (0, 0, 90), (0, 0, 110), (0, 80, 100), (0, 0, 230), (119, 11, 32), (0, 0, 142)]
ROAD, PARKING, BUILDING, SKY, CAR = 7, 9, 11, 23, 26


def frame(number):
    """Grey above, darker below; the brightness tells the frame."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 100 + number, np.uint8)
    pixels[SIZE[1] // 2:] = number
    return Image.fromarray(pixels)


def label(size=SIZE):
    """Sky above left, building above right, road below left, parking below right; one car."""
    width, height = size
    classes = np.full((height, width), SKY, np.uint8)
    classes[:height // 2, width // 2:] = BUILDING
    classes[height // 2:, :width // 2] = ROAD
    classes[height // 2:, width // 2:] = PARKING
    classes[-2:, -4:] = CAR
    image = Image.fromarray(classes).convert('P')
    image.putpalette([value for colour in PALETTE for value in colour])
    return image


def sources():
    """Twelve frames in two parts, as the official archives have them."""
    images = {f'images/{i:05d}.png': encoded(frame(i)) for i in range(1, 13)}
    labels = {f'labels/{i:05d}.png': encoded(label()) for i in range(1, 13)}
    return images, labels


def parts(files):
    names = sorted(files)
    return [{name: files[name] for name in names[:6]}, {name: files[name] for name in names[6:]}]


def write_archives(folder, images, labels):
    folder.mkdir()
    return {kind: [write_zip(folder / f'{i:02d}_{kind}.zip', part)
                   for i, part in enumerate(parts(files), start=1)]
            for kind, files in dict(images=images, labels=labels).items()}


def arguments(archives, out, *more):
    return ('--images', *archives['images'], '--labels', *archives['labels'], '--out', out,
            '--size', 8, 16, *more)


def run(archives, out, *more, workers=0):
    return run_converter('gta5', *arguments(archives, out, *more), workers=workers)


@pytest.fixture
def archives(tmp_path):
    return write_archives(tmp_path / 'gta5', *sources())


def write_split(path):
    savemat(path, dict(trainIds=np.array([[1], [3], [5], [7]], np.uint16),
                       valIds=np.array([[2], [4]], np.uint16),
                       testIds=np.array([[6], [8], [12]], np.uint16)))
    return path


def names(out, folder):
    return sorted(path.stem for path in (out / folder).glob('*'))


def test_images_and_labels(archives, tmp_path):
    out = tmp_path / 'out'
    assert run(archives, out) == 0
    folders = [f'{split}A{kind}' for split in ('test', 'train')
               for kind in ('', '_labels19', '_labels8')]
    assert section(out, 'A')['counts'] == dict(zip(folders, [1, 1, 1, 11, 11, 11]))
    stem = names(out, 'trainA')[0]
    assert names(out, 'trainA') == names(out, 'trainA_labels19') == names(out, 'trainA_labels8')
    image = read(out / 'trainA' / f'{stem}.png')
    assert image.shape == (8, 16, 3) and image.dtype == np.uint8
    assert (image[0] == 100 + int(stem)).all() and (image[-1] == int(stem)).all()
    ids, categories = (read(out / f'trainA_{key}' / f'{stem}.png') for key in
                       ('labels19', 'labels8'))
    sky, building, road, parking, car = 10, 2, 0, 255, 13
    assert ids.shape == categories.shape == (8, 16)
    assert (ids[:4, :8] == sky).all() and (ids[:4, 8:] == building).all()
    assert (ids[4:, :8] == road).all() and (ids[4:7, 8:] == parking).all()
    assert ids[-1, -1] == car and set(np.unique(ids)) == {sky, building, road, parking, car}
    assert (categories[:4, :8] == 5).all() and (categories[:4, 8:] == 2).all()
    assert (categories[4:7] == 1).all() and categories[-1, -1] == 7  # parking is flat, too


def test_the_dataset_reads_it(archives, tmp_path):
    for domain in 'AB':
        run(archives, tmp_path / 'out', '--domain', domain, '--test-fraction', 0.25)
    load = [LoadImageFromFile(key=f'img_{domain}') for domain in 'AB']
    for test_mode, length in ((False, 9), (True, 3)):
        dataset = ExemplarImageDataset(tmp_path / 'out', load, test_mode=test_mode)
        assert len(dataset) == length
        assert dataset[0]['img_A'].shape == dataset[0]['img_B'].shape == (8, 16, 3)


def test_default_size_and_jpg(archives, tmp_path):
    args = arguments(archives, tmp_path / 'out', '--format', 'jpg')
    run_converter('gta5', *[arg for arg in args if arg not in ('--size', 8, 16)])
    path = next((tmp_path / 'out' / 'trainA').iterdir())
    assert path.suffix == '.jpg' and read(path).shape == (256, 512, 3)
    label_path = tmp_path / 'out' / 'trainA_labels19' / f'{path.stem}.png'
    assert read(label_path).shape == (256, 512)


def test_official_split(archives, tmp_path):
    split = write_split(tmp_path / 'split.mat')
    run(archives, tmp_path / 'out', '--split', split)
    assert names(tmp_path / 'out', 'trainA') == ['00001', '00003', '00005', '00007']
    assert names(tmp_path / 'out', 'testA') == ['00006', '00008', '00012']
    assert section(tmp_path / 'out', 'A')['excluded'] == {
        'neither a training nor a test frame of the split': 5}
    run(archives, tmp_path / 'out2', '--split', split, '--validation', 'train')
    assert names(tmp_path / 'out2', 'trainA') == ['00001', '00002', '00003', '00004', '00005',
                                                  '00007']


def test_no_split_file(archives, tmp_path, capsys):
    (tmp_path / 'split.mat').write_bytes(b'no')
    with pytest.raises(ConversionError, match='split.mat is not the split.mat of GTA5'):
        run(archives, tmp_path / 'out', '--split', tmp_path / 'split.mat')
    savemat(tmp_path / 'split.mat', dict(x=1))
    with pytest.raises(ConversionError, match='with trainIds, valIds and testIds .*trainIds'):
        run(archives, tmp_path / 'out', '--split', tmp_path / 'split.mat')
    with pytest.raises(ConversionError, match='cannot read .*nowhere.mat: No such file'):
        run(archives, tmp_path / 'out', '--split', tmp_path / 'nowhere.mat')
    with pytest.raises(SystemExit):
        run(archives, tmp_path / 'out', '--validation', 'train')
    assert '--validation goes with --split' in capsys.readouterr().err


def test_seeded_split(archives, tmp_path):
    tests = []
    for number, seed in enumerate((0, 0, 5)):
        out = tmp_path / f'out{number}'
        run(archives, out, '--test-fraction', 0.25, '--seed', seed)
        tests.append(names(out, 'testA'))
        assert len(tests[-1]) == 3 and not set(tests[-1]) & set(names(out, 'trainA'))
        assert section(out, 'A')['settings']['split'] == dict(test_fraction=0.25, seed=seed)
    assert tests[0] == tests[1] != tests[2]


def test_unpacked_folders_and_worker_processes_give_the_same_files(archives, tmp_path):
    images, labels = sources()
    write_folder(tmp_path / 'unpacked', {**images, **labels})
    # The names are relative to the folder given.
    folders = {kind: [tmp_path / 'unpacked' / kind] for kind in archives}
    run(archives, tmp_path / 'out')
    run(archives, tmp_path / 'parallel', workers=2)
    run(folders, tmp_path / 'folders')
    whole = tree(tmp_path / 'out')
    assert tree(tmp_path / 'parallel') == whole
    test = names(tmp_path / 'out', 'testA')
    assert names(tmp_path / 'folders', 'testA') == test
    content = tree(tmp_path / 'folders')
    assert content.pop('manifest.json') != whole.pop('manifest.json')  # other names of the sources
    assert content == whole


def test_images_without_labels(archives, tmp_path):
    assert run_converter('gta5', '--images', *archives['images'], '--out', tmp_path / 'out',
                         '--size', 8, 16) == 0
    assert sorted(section(tmp_path / 'out', 'A')['counts']) == ['testA', 'trainA']


def test_frames_of_mismatched_size_are_left_out_by_name(tmp_path, capsys):
    images, labels = sources()
    labels['labels/00004.png'] = encoded(label((40, 22)))
    images['images/00009.png'] = encoded(frame(9).resize((38, 24)))
    out = tmp_path / 'out'
    assert run(write_archives(tmp_path / 'gta5', images, labels), out) == 0  # no failure
    assert section(out, 'A')['left_out'] == {
        'images/00004.png': 'the image is 38x22, its label 40x22',
        'images/00009.png': 'the image is 38x24, its label 38x22'}
    assert '2 of domain A left out:\n  images/00004.png' in capsys.readouterr().out
    written = names(out, 'trainA') + names(out, 'testA')
    assert len(written) == 10 and not {'00004', '00009'} & set(written)
    assert not any('00004' in name or '00009' in name for name in tree(out))


def test_missing_and_damaged_files_are_named_and_the_others_kept(tmp_path, capsys):
    images, labels = sources()
    del labels['labels/00002.png'], images['images/00005.png']
    images['images/00007.png'] = images['images/00007.png'][:60]
    labels['labels/00008.png'] = encoded(Image.new('L', SIZE, 7))
    archives = write_archives(tmp_path / 'gta5', images, labels)
    damage_member(archives['images'][0], 'images/00003.png')
    out = tmp_path / 'out'
    assert run(archives, out) == 1
    failed = section(out, 'A')['failed']
    assert sorted(failed) == [f'images/{i:05d}.png' for i in (2, 3, 7, 8)] + ['labels/00005.png']
    assert failed['images/00002.png'] == 'has no label'
    assert 'images/00003.png cannot be read from' in failed['images/00003.png']
    assert 'the image cannot be decoded' in failed['images/00007.png']
    assert "(RGB (7, 7, 7)): is it a colour label map?" in failed['images/00008.png']
    assert failed['labels/00005.png'] == 'has no image'
    assert '5 of domain A could not be used:\n  images/00002.png: has no' in capsys.readouterr().err
    assert len(names(out, 'trainA') + names(out, 'testA')) == 12 - 5
    # The repaired archives complete it, and the split is the same.
    before = tree(out)
    for archive in (tmp_path / 'gta5').iterdir():
        archive.unlink()
    (tmp_path / 'gta5').rmdir()
    assert run(write_archives(tmp_path / 'gta5', *sources()), out) == 0
    after = tree(out)
    del before['manifest.json']
    assert before.items() < after.items() and len(after) == 12 * 3 + 1


def test_swapped_archives_are_noticed(archives, tmp_path):
    swapped = dict(images=archives['labels'], labels=archives['images'])
    assert run(swapped, tmp_path / 'out') == 1
    assert set(section(tmp_path / 'out', 'A')['failed'].values()) == {
        'the image has a palette, as label maps have: are images and labels swapped?'}
    assert list(tree(tmp_path / 'out')) == ['manifest.json']


@pytest.mark.parametrize('kind', ['images', 'labels'])
def test_truncated_archive_is_named_and_nothing_written(archives, tmp_path, kind):
    truncate(archives[kind][1])
    with pytest.raises(ConversionError, match=f'02_{kind}.zip is damaged or truncated'):
        run(archives, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_full_disk(archives, tmp_path, monkeypatch):
    run(archives, tmp_path / 'whole')
    with monkeypatch.context() as patched:
        fill_disk(patched, after=9)
        with pytest.raises(UserError, match='No space left on device'):
            run(archives, tmp_path / 'out')
    left, whole = tree(tmp_path / 'out'), tree(tmp_path / 'whole')
    del left['manifest.json']
    assert len(left) == 6 and left.items() < whole.items()
    assert run(archives, tmp_path / 'out') == 0
    assert tree(tmp_path / 'out') == whole


def test_twice_the_same_frame_is_refused(archives, tmp_path):
    images, _ = sources()
    write_folder(tmp_path / 'unpacked', images)
    archives['images'].append(tmp_path / 'unpacked' / 'images')
    with pytest.raises(ConversionError, match='00001.png and images/00001.png have the same name'):
        run(archives, tmp_path / 'out')


@pytest.mark.parametrize('args, match', [
    (['--domain', '../x'], 'must be letters and digits'),
    (['--test-fraction', '1'], 'must be between 0 and 1'),
    (['--size', '0', '4'], 'must be at least 1'),
])
def test_bad_arguments_are_named(archives, tmp_path, capsys, args, match):
    with pytest.raises(SystemExit):
        run(archives, tmp_path / 'out', *args)
    assert match in capsys.readouterr().err


def test_help_says_where_the_data_comes_from(capsys):
    with pytest.raises(SystemExit):
        run_converter('gta5', '--help')
    text = capsys.readouterr().out
    assert converter('gta5').__doc__ in text
    for words in ('download.visinf.tu-darmstadt.de', 'images/00001.png', 'split.mat', '0 void'):
        assert words in text
