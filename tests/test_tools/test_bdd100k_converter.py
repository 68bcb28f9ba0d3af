# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json

import numpy as np
import pytest
from PIL import Image
from tiny_sources import (
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

from egscit_mm.datasets.conversion import ConversionError
from egscit_mm.utils.errors import UserError

SIZE = (32, 18)  # width, height of an image: BDD100K's shape
IMAGES = dict(train=['a0', 'a1', 'a2', 'a3'], val=['b0', 'b1'])
TIMES = dict(a0='daytime', a1='night', a2='dawn/dusk', a3='undefined', b0='daytime', b1='night')


def image(value):
    return encoded(Image.new('RGB', SIZE, (value, ) * 3), 'JPEG')


def mask():
    """Road left, car right, a line that counts nowhere."""
    ids = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    ids[:, SIZE[0] // 2:] = 13
    ids[:4] = 255
    return encoded(ids)


def image_files(root='bdd100k/images/10k'):
    files = {f'{root}/{split}/{stem}.jpg': image(100 + number) for split, stems in IMAGES.items()
             for number, stem in enumerate(stems)}
    files[f'{root}/test/c0.jpg'] = image(0)
    return files


def mask_files():
    """The official archive: beside the masks it has their colours and outlines."""
    files = {}
    for split, stems in IMAGES.items():
        for stem in stems:
            files[f'bdd100k/labels/sem_seg/masks/{split}/{stem}.png'] = mask()
            files[f'bdd100k/labels/sem_seg/colormaps/{split}/{stem}.png'] = encoded(
                Image.new('RGBA', SIZE))
        files[f'bdd100k/labels/sem_seg/polygons/sem_seg_{split}.json'] = b'[]'
    return files


@pytest.fixture
def archives(tmp_path):
    return dict(images=write_zip(tmp_path / 'bdd100k_images_10k.zip', image_files()),
                masks=write_zip(tmp_path / 'bdd100k_sem_seg_labels_trainval.zip', mask_files()))


def run(out, images, masks=None, *more, workers=0):
    masks = ('--masks', masks) if masks else ()
    return run_converter('bdd100k', '--images', images, *masks, '--out', out, '--size', 8, 16,
                         *more, workers=workers)


def names(out, folder):
    return sorted(path.stem for path in (out / folder).glob('*'))


def test_images_and_masks(archives, tmp_path):
    out = tmp_path / 'out'
    assert run(out, **archives) == 0
    for kind in ('', '_labels19', '_labels8'):
        assert names(out, f'trainB{kind}') == IMAGES['train']
        assert names(out, f'testB{kind}') == IMAGES['val']
    assert section(out, 'B')['excluded'] == {'in no folder train or val': 1}
    picture = read(out / 'trainB' / 'a3.png')
    assert picture.shape == (8, 16, 3) and np.abs(picture.astype(int) - 103).max() <= 1
    ids, categories = (read(out / f'testB_{key}' / 'b0.png') for key in ('labels19', 'labels8'))
    assert (ids[0] == 255).all() and (ids[2:, :8] == 0).all() and (ids[2:, 8:] == 13).all()
    assert (categories[0] == 0).all()  # void
    assert (categories[2:, :8] == 1).all() and (categories[2:, 8:] == 7).all()  # flat, vehicle


def test_older_archive_and_folders(archives, tmp_path):
    """bdd100k_seg.zip holds images and labels, named <id>_train_id.png."""
    files = image_files('bdd100k/seg/images')
    for split, stems in IMAGES.items():
        for stem in stems:
            files[f'bdd100k/seg/labels/{split}/{stem}_train_id.png'] = mask()
            files[f'bdd100k/seg/color_labels/{split}/{stem}_train_color.png'] = b''
    archive = write_zip(tmp_path / 'bdd100k_seg.zip', files)
    folder = write_folder(tmp_path / 'unpacked', files) / 'bdd100k' / 'seg'
    run(tmp_path / 'new', **archives)
    run(tmp_path / 'old', archive, archive)
    run(tmp_path / 'folder', folder / 'images', folder / 'labels', workers=2)
    contents = [tree(tmp_path / out) for out in ('new', 'old', 'folder')]
    for content in contents:
        del content['manifest.json']
    assert contents[0] == contents[1] == contents[2] and len(contents[0]) == 3 * 6


def frame(stem, **more):
    """A frame of a label file, with objects whose attributes must not be mistaken for its own."""
    objects = [dict(category='car', attributes=dict(occluded=False, timeofday='never'),
                    box2d=dict(x1=1.5))]
    return dict(name=stem, attributes=dict(weather='clear', timeofday=TIMES[stem[:2]]), **more,
                labels=objects)


LABELS = {
    'one file per split': {
        f'bdd100k_labels_images_{split}.json': [frame(f'{stem}.jpg') for stem in stems]
        for split, stems in IMAGES.items()},
    'one file per image': {
        f'labels/100k/{split}/{stem}.json': frame(stem, frames=[dict(timestamp=10000, objects=[])])
        for split, stems in IMAGES.items() for stem in stems},
    'Scalabel': {
        'det_20/det.json': dict(
            frames=[frame(f'{stem}.jpg') for stems in IMAGES.values() for stem in stems],
            config=dict(attributes=[]))},
}


@pytest.mark.parametrize('labels', LABELS.values(), ids=LABELS)
@pytest.mark.parametrize('times, train, val', [
    (['day'], ['a0'], ['b0']),
    (['night'], ['a1'], ['b1']),
    (['dawn/dusk', 'day'], ['a0', 'a2'], ['b0']),
])
@pytest.mark.parametrize('write', [write_zip, write_folder])
def test_time_of_day(archives, tmp_path, labels, times, train, val, write):
    source = write(tmp_path / 'labels.zip',
                   {name: json.dumps(content).encode() for name, content in labels.items()})
    out = tmp_path / 'out'
    assert run(out, archives['images'], None, '--time-of-day', *times, '--labels', source) == 0
    assert names(out, 'trainB') == train and names(out, 'testB') == val
    excluded = section(out, 'B')['excluded']
    assert excluded['time of day: undefined'] == 1
    assert sum(excluded.values()) == 7 - len(train) - len(val)
    assert section(out, 'B')['settings']['time_of_day'] == sorted(times)


def test_images_without_a_time_are_counted(archives, tmp_path):
    labels = tmp_path / 'labels.json'
    frames = [frame('a0.jpg'), frame('a1.jpg'), frame('a2.jpg'), frame('b1.jpg')]
    for unknown, time in zip(frames[1:3], ('noon', ['night'])):
        unknown['attributes']['timeofday'] = time
    labels.write_text(json.dumps(frames))
    run(tmp_path / 'out', archives['images'], None, '--time-of-day', 'day', 'night',
        '--labels', labels)
    assert section(tmp_path / 'out', 'B')['excluded'] == {
        'time of day: noon': 1, "time of day: ['night']": 1,
        'time of day: not in the labels': 2, 'in no folder train or val': 1}


@pytest.mark.parametrize('content', ['[', '{}', '[{"name": "a0.jpg"}]', '[1]', '{"frames": 3}',
                                     '[' * 100000])
def test_bad_labels_are_named(archives, tmp_path, content):
    (tmp_path / 'labels.json').write_text(content)
    with pytest.raises(ConversionError, match='labels.json of the --labels is not a label file of'):
        run(tmp_path / 'out', archives['images'], None, '--time-of-day', 'day', '--labels',
            tmp_path / 'labels.json')


def test_nothing_left_is_an_error(archives, tmp_path):
    (tmp_path / 'labels.json').write_text(json.dumps([frame('a0.jpg')]))
    with pytest.raises(ConversionError, match='no images for domain B; .* 1 excluded: time of day: '
                       'daytime'):
        run(tmp_path / 'out', archives['images'], None, '--time-of-day', 'night', '--labels',
            tmp_path / 'labels.json')


def test_missing_and_damaged_files_are_named_and_the_others_kept(tmp_path, capsys):
    images, masks = image_files(), mask_files()
    folder = 'bdd100k/labels/sem_seg/masks'
    del masks[f'{folder}/train/a0.png'], images['bdd100k/images/10k/val/b1.jpg']
    images['bdd100k/images/10k/train/a1.jpg'] = images['bdd100k/images/10k/train/a1.jpg'][:-100]
    masks[f'{folder}/train/a3.png'] = masks['bdd100k/labels/sem_seg/colormaps/train/a3.png']
    masks[f'{folder}/val/b0.png'] = encoded(np.full((9, 16), 3, np.uint8))
    archives = dict(images=write_zip(tmp_path / 'i.zip', images),
                    masks=write_zip(tmp_path / 'm.zip', masks))
    damage_member(archives['masks'], f'{folder}/train/a2.png')
    assert run(tmp_path / 'out', **archives, workers=0) == 1
    # a2 is damaged, too: nothing is left but what the report says.
    failed = section(tmp_path / 'out', 'B')['failed']
    images = 'bdd100k/images/10k'
    assert failed[f'{images}/train/a0.jpg'] == 'has no mask'
    assert 'the image cannot be decoded' in failed[f'{images}/train/a1.jpg']
    assert 'a2.png cannot be read from' in failed[f'{images}/train/a2.jpg']
    assert 'of mode RGBA, not a one-channel' in failed[f'{images}/train/a3.jpg']
    assert failed[f'{images}/val/b0.jpg'] == 'the image is 32x18, its mask 16x9'
    assert failed[f'{folder}/val/b1.png'] == 'has no image' and len(failed) == 6
    assert '6 of domain B could not be used' in capsys.readouterr().err
    assert list(tree(tmp_path / 'out')) == ['manifest.json']


def test_good_files_are_kept_beside_a_damaged_one(tmp_path):
    images = image_files()
    images['bdd100k/images/10k/train/a1.jpg'] = b'not an image'
    archives = dict(images=write_zip(tmp_path / 'i.zip', images),
                    masks=write_zip(tmp_path / 'm.zip', mask_files()))
    assert run(tmp_path / 'out', **archives) == 1
    assert names(tmp_path / 'out', 'trainB') == ['a0', 'a2', 'a3']
    assert names(tmp_path / 'out', 'trainB_labels8') == ['a0', 'a2', 'a3']


@pytest.mark.parametrize('kind', ['images', 'masks'])
def test_truncated_archive_is_named_and_nothing_written(archives, tmp_path, kind):
    truncate(archives[kind])
    with pytest.raises(ConversionError, match=f'{archives[kind].name} is damaged or truncated'):
        run(tmp_path / 'out', **archives)
    assert not (tmp_path / 'out').exists()


def test_full_disk(archives, tmp_path, monkeypatch):
    run(tmp_path / 'whole', **archives)
    with monkeypatch.context() as patched:
        fill_disk(patched, after=8)
        with pytest.raises(UserError, match='No space left on device'):
            run(tmp_path / 'out', **archives)
    left, whole = tree(tmp_path / 'out'), tree(tmp_path / 'whole')
    del left['manifest.json']
    assert len(left) == 6 and left.items() < whole.items()
    assert run(tmp_path / 'out', **archives) == 0
    assert tree(tmp_path / 'out') == whole


def test_an_image_in_two_splits_is_refused(archives, tmp_path):
    """Some 10K training images are 100K validation images: together they would leak."""
    other = write_zip(tmp_path / '100k.zip', {'bdd100k/images/100k/val/a0.jpg': image(1)})
    with pytest.raises(ConversionError, match='100k/val/a0.jpg and .*10k/train/a0.jpg have the'):
        run_converter('bdd100k', '--images', archives['images'], other, '--out', tmp_path / 'out')


def test_folder_without_splits_is_refused(tmp_path):
    folder = write_folder(tmp_path / 'flat', {'a0.jpg': image(1)})
    with pytest.raises(ConversionError, match='no folder train or val in the --images, only such '
                       'as a0.jpg: give the folder that holds them'):
        run(tmp_path / 'out', folder)


def test_time_and_labels_go_together(archives, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / 'out', archives['images'], None, '--time-of-day', 'day')
    assert '--time-of-day and --labels go together' in capsys.readouterr().err


def test_help_says_where_the_data_comes_from(capsys):
    with pytest.raises(SystemExit):
        run_converter('bdd100k', '--help')
    text = capsys.readouterr().out
    for words in ('bdd-data.berkeley.edu', 'labels/sem_seg/masks', 'bdd100k_labels_images'):
        assert words in text
