# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import contextlib
import io
import multiprocessing
import os
import select
import signal
import time
import zipfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_sources import (
    damage_member,
    encoded,
    fill_disk,
    section,
    tree,
    truncate,
    write_folder,
    write_zip,
)

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion import BadInputError, ConversionError, Files, Job, Task
from egscit_mm.utils.errors import UserError

SUFFIXES = ('.png', '.jpg')


def image_of(value, mode='RGB', size=(3, 2)):
    return Image.new(mode, size, value)


# Images


@pytest.mark.parametrize('image, expected', [
    (image_of((1, 2, 3)), (1, 2, 3)),
    (image_of(100, 'L'), (100, 100, 100)),
    (image_of(1, '1'), (255, 255, 255)),
    (image_of((100, 255), 'LA'), (100, 100, 100)),
    (image_of((100, 0), 'LA'), (255, 255, 255)),  # transparent: white
    (image_of((255, 0, 0, 255), 'RGBA'), (255, 0, 0)),
    (image_of((0, 0, 0, 0), 'RGBA'), (255, 255, 255)),
    (image_of((0, 0, 0, 51), 'RGBA'), (204, 204, 204)),  # a fifth black on white
    (image_of((0, 255, 255, 0), 'CMYK'), (255, 0, 0)),
    (Image.fromarray(np.full((2, 3), 65535, np.uint16)), (255, 255, 255)),
    (Image.fromarray(np.full((2, 3), 7 * 257, np.uint16)), (7, 7, 7)),
    (image_of(40000, 'I'), (156, 156, 156)),  # 40000 / 257 = 155.6
])
def test_to_rgb(image, expected):
    rgb = conversion.to_rgb(image)
    assert rgb.mode == 'RGB' and rgb.size == (3, 2)
    assert set(map(tuple, np.asarray(rgb).reshape(-1, 3).tolist())) == {expected}


def test_palette_images_keep_colours_and_lay_the_transparent_one_on_white():
    image = image_of(1, 'P')
    image.putpalette([9, 9, 9, 10, 20, 30])
    image.putpixel((0, 0), 0)
    opaque = conversion.to_rgb(conversion.decode(encoded(image)))
    assert opaque.getpixel((0, 0)) == (9, 9, 9) and opaque.getpixel((1, 0)) == (10, 20, 30)
    seen_through = conversion.to_rgb(conversion.decode(encoded(image, transparency=0)))
    assert seen_through.getpixel((0, 0)) == (255, 255, 255)
    assert seen_through.getpixel((1, 0)) == (10, 20, 30)


@pytest.mark.parametrize('image, match', [
    (image_of(0.5, 'F'), 'floating-point'),
    (image_of(70000, 'I'), '70000..70000: save it with 8 or 16 bits'),
    (image_of(-1, 'I'), '-1..-1'),
])
def test_pixels_of_unknown_range_are_refused(image, match):
    with pytest.raises(BadInputError, match=match):
        conversion.to_rgb(image)


def test_sixteen_bit_png_and_exif_orientation_are_read():
    grey = conversion.decode(encoded(np.full((2, 3), 65535, np.uint16)))
    assert conversion.to_rgb(grey).getpixel((0, 0)) == (255, 255, 255)
    image = image_of('black', size=(4, 2))
    image.putpixel((0, 0), (255, 255, 255))  # top left
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the row on top is the right side
    upright = conversion.decode(encoded(image, exif=exif.tobytes()))
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == (255, 255, 255) and upright.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize('content, why', [
    (b'', 'the file is empty$'),
    (b'no image', 'the file is none of BMP, JPEG, PNG, PPM, TIFF, WEBP$'),
    (encoded(image_of(1), 'GIF'), 'the file is none of'),
    (encoded(image_of(1))[:40], '.+'),
    (encoded(image_of(1, size=(64, 64)), 'JPEG')[:-300], '.+')])
def test_what_is_no_image_or_cut_off_is_refused(content, why):
    with pytest.raises(BadInputError, match=f'the mask cannot be decoded: {why}'):
        conversion.decode(content, 'mask')


@pytest.mark.parametrize('file_format', conversion.DECODED_FORMATS)
def test_formats_that_are_decoded(file_format):
    image = image_of((250, 10, 10), size=(8, 8))
    decoded = conversion.decode(encoded(image, file_format))
    assert np.abs(np.asarray(decoded).astype(int) - np.asarray(image)).max() <= 6


def test_all_suffixes_are_of_formats_that_are_decoded():
    Image.init()
    formats = {Image.registered_extensions()[suffix] for suffix in conversion.IMAGE_SUFFIXES}
    assert formats == set(conversion.DECODED_FORMATS)


def test_crop_takes_the_middle_and_stretch_takes_all():
    bands = np.zeros((10, 40, 3), np.uint8)
    bands[:, :10, 0] = bands[:, 10:30, 1] = bands[:, 30:, 2] = 255  # red, green, blue
    bands = Image.fromarray(bands)
    cropped = np.asarray(conversion.crop(bands, (5, 10)))
    assert cropped.shape == (5, 10, 3)
    # At its borders the Lanczos filter sees a little of what was cut off.
    assert (cropped[..., 1] > 240).all() and (cropped[:, 1:-1, 1] > 250).all()
    stretched = np.asarray(conversion.stretch(bands, (5, 8)))
    assert stretched.shape == (5, 8, 3)
    assert stretched[0].argmax(-1).tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_stretching_does_not_alias():
    checks = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    small = np.asarray(conversion.stretch(Image.fromarray(checks.astype(np.uint8)), (8, 8)))
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_labels_are_stretched_to_nearest_pixels():
    labels = np.random.randint(0, 20, (21, 38)).astype(np.uint8)
    small = np.asarray(conversion.stretch_labels(Image.fromarray(labels), (8, 16)))
    # The pixel under the centre of each new one.
    rows = np.floor((np.arange(8) + 0.5) * 21 / 8).astype(int)
    columns = np.floor((np.arange(16) + 0.5) * 38 / 16).astype(int)
    np.testing.assert_array_equal(small, labels[rows][:, columns])


# Labels

# Colour, train id, category, written down from the tables of Cityscapes.
COLOURS = [
    ((0, 0, 0), 255, 0), ((20, 20, 20), 255, 0), ((111, 74, 0), 255, 0), ((81, 0, 81), 255, 0),
    ((128, 64, 128), 0, 1), ((244, 35, 232), 1, 1), ((250, 170, 160), 255, 1),
    ((230, 150, 140), 255, 1), ((70, 70, 70), 2, 2), ((102, 102, 156), 3, 2),
    ((190, 153, 153), 4, 2), ((180, 165, 180), 255, 2), ((150, 100, 100), 255, 2),
    ((150, 120, 90), 255, 2), ((153, 153, 153), 5, 3), ((250, 170, 30), 6, 3),
    ((220, 220, 0), 7, 3), ((107, 142, 35), 8, 4), ((152, 251, 152), 9, 4),
    ((70, 130, 180), 10, 5), ((220, 20, 60), 11, 6), ((255, 0, 0), 12, 6), ((0, 0, 142), 13, 7),
    ((0, 0, 70), 14, 7), ((0, 60, 100), 15, 7), ((0, 0, 90), 255, 7), ((0, 0, 110), 255, 7),
    ((0, 80, 100), 16, 7), ((0, 0, 230), 17, 7), ((119, 11, 32), 18, 7),
]


@pytest.mark.parametrize('with_palette', [True, False])
def test_colours_become_train_ids_and_categories(with_palette):
    order = np.random.permutation(len(COLOURS)).astype(np.uint8).reshape(5, 6)
    if with_palette:
        labels = Image.fromarray(order).convert('P')
        labels.putpalette([value for colour, _, _ in COLOURS for value in colour])
    else:
        labels = Image.fromarray(np.array([colour for colour, _, _ in COLOURS], np.uint8)[order])
    maps = conversion.train_ids_of_colours(labels)
    assert {key: image.mode for key, image in maps.items()} == dict(labels19='L', labels8='L')
    for key, column in dict(labels19=1, labels8=2).items():
        expected = [[COLOURS[index][column] for index in row] for row in order]
        assert np.asarray(maps[key]).tolist() == expected
    assert set(np.unique(maps['labels19'])) == {*range(19), 255}
    assert set(np.unique(maps['labels8'])) == set(range(8))


def test_unknown_colours_are_refused_by_name():
    with pytest.raises(BadInputError, match=r"1 colours that are not .* \(RGB \(1, 2, 3\)"):
        conversion.train_ids_of_colours(image_of((1, 2, 3)))
    with pytest.raises(BadInputError, match='is it a colour label map'):
        conversion.train_ids_of_colours(image_of(7, 'L'))  # class numbers instead of colours


def test_train_ids_become_categories():
    ids = np.array([[*range(19), 255]], np.uint8)
    maps = conversion.categories_of_train_ids(Image.fromarray(ids))
    assert np.asarray(maps['labels19']).tolist() == ids.tolist()
    assert np.asarray(maps['labels8']).tolist() == [
        [1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 6, 7, 7, 7, 7, 7, 7, 0]]
    with pytest.raises(BadInputError, match=r'the values \[19, 254\]: expected train ids 0..18'):
        conversion.categories_of_train_ids(Image.fromarray(np.array([[0, 19, 254]], np.uint8)))
    with pytest.raises(BadInputError, match='of mode RGB'):
        conversion.categories_of_train_ids(image_of(0))


def test_label_maps_in_place_of_images_are_refused():
    image = image_of(7, 'P')
    with pytest.raises(BadInputError, match='has a palette, .* labels swapped'):
        conversion.render_labelled(dict(image=encoded(image)), (2, 3), 'label', None, None)


# Sources

FILES = {'images/b.png': b'second', 'images/a.PNG': b'first', 'notes.txt': b'', 'list': b'',
         '.DS_Store': b'', 'images/._a.png': b'', '__MACOSX/images/a.png': b''}


@pytest.mark.parametrize('write', [write_zip, write_folder])
def test_archives_and_folders_read_the_same(tmp_path, write):
    files = Files([write(tmp_path / 'source.zip', FILES)], SUFFIXES)
    assert files.names == ['images/a.PNG', 'images/b.png']
    assert [files.read(name) for name in files.names] == [b'first', b'second']
    assert files.ignored == Counter({'.txt': 1, '': 1})
    # md5 of '9b0a9c51 images/a.PNG\n...' with zlib.crc32(b'first') and so on, from md5sum.
    assert files.summary(['images/b.png', 'images/a.PNG']) == dict(
        files=2, md5='32d28af316c6d89260f747c09589fe26')


def test_several_sources_are_one(tmp_path):
    first = write_zip(tmp_path / '01.zip', {'images/1.png': b'1'})
    second = write_zip(tmp_path / '02.ZIP', {'images/2.png': b'2'})
    (tmp_path / '3.png').write_bytes(b'3')
    files = Files([first, second, tmp_path / '3.png'], SUFFIXES)
    assert {name: files.read(name) for name in files.names} == {
        'images/1.png': b'1', 'images/2.png': b'2', '3.png': b'3'}
    with pytest.raises(ConversionError, match='images/1.png is in .*01.zip and in .*copy.zip'):
        Files([first, write_zip(tmp_path / 'copy.zip', {'images/1.png': b'1'})], SUFFIXES)


def test_bad_sources_are_named(tmp_path):
    with pytest.raises(ConversionError, match='nowhere does not exist'):
        Files([tmp_path / 'nowhere'], SUFFIXES)
    folder = write_folder(tmp_path / 'folder', {'01_images.zip': b'', 'x.txt': b''})
    nested = write_zip(tmp_path / 'nested.zip', {'01_images.zip': b'', 'x.txt': b''})
    for holder in (folder, nested):
        with pytest.raises(ConversionError, match='no .png/.jpg files in .*, found 1 .txt, 1 '
                           '.zip; give these archives themselves, not what holds them'):
            Files([holder], SUFFIXES)
    archive = write_zip(tmp_path / 'evil.zip', {'../../evil.png': b''})
    with pytest.raises(ConversionError, match='points out of it'):
        Files([archive], SUFFIXES)
    truncate(write_zip(tmp_path / 'half.zip', {'a.png': bytes(100)}))
    with pytest.raises(ConversionError, match='half.zip is damaged or truncated .* get this'):
        Files([tmp_path / 'half.zip'], SUFFIXES)


def test_encrypted_archive_is_named(tmp_path):
    path = write_zip(tmp_path / 'secret.zip', {'a.png': b'', 'b.png': b''})
    content = path.read_bytes()
    # Bit 0 of the flags of each entry in the archive's directory.
    place = content.rindex(b'PK\x01\x02') + 8
    path.write_bytes(content[:place] + b'\x01' + content[place + 1:])
    with pytest.raises(ConversionError, match='secret.zip is encrypted .b.png.: unpack it and give '
                       'the folder'):
        Files([path], SUFFIXES)


def test_name_twice_in_an_archive(tmp_path):
    with pytest.warns(UserWarning, match='Duplicate name'):
        with zipfile.ZipFile(tmp_path / 'twice.zip', 'w') as archive:
            for content in (b'1', b'2'):
                archive.writestr('a.png', content)
    with pytest.raises(ConversionError, match='a.png is twice in .*twice.zip'):
        Files([tmp_path / 'twice.zip'], SUFFIXES)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_forbidden_archive_is_not_called_damaged(tmp_path):
    write_zip(tmp_path / 'a.zip', {'a.png': b''}).chmod(0)
    with pytest.raises(ConversionError, match='cannot read .*a.zip: Permission denied'):
        Files([tmp_path / 'a.zip'], SUFFIXES)


def test_linked_folders_are_searched_once(tmp_path):
    folder = write_folder(tmp_path / 'folder', {'a.png': b'', 'sub/b.png': b''})
    write_folder(tmp_path / 'elsewhere', {'c.png': b''})
    (folder / 'link').symlink_to(tmp_path / 'elsewhere')
    (folder / 'sub' / 'up').symlink_to(folder)
    (folder / 'zlink').symlink_to(tmp_path / 'elsewhere')
    assert Files([folder], SUFFIXES).names == ['a.png', 'link/c.png', 'sub/b.png']


def test_pipes_are_no_files(tmp_path):
    folder = write_folder(tmp_path / 'folder', {'a.png': b'a'})
    os.mkfifo(folder / 'b.png')
    files = Files([folder], SUFFIXES)
    with pytest.raises(BadInputError, match='b.png cannot be read from .*: not a regular file'):
        files.read('b.png')  # must not wait for someone to write into it


def test_names_that_are_no_utf8(tmp_path):
    name = os.fsdecode(b'\xff.png')
    try:
        folder = write_folder(tmp_path / 'folder', {name: b'first', 'b.png': b''})
    except OSError:
        pytest.skip('the file system wants UTF-8')
    files = Files([folder], SUFFIXES)
    assert files.summary([name])['files'] == 1
    assert conversion.draw_test_names(files.names, 0.5, 0) < {name, 'b.png'}


def test_checksums_known_are_not_read_again(tmp_path, capsys):
    folder = write_folder(tmp_path / 'folder', {'a.png': b'first', 'b.png': b'second'})
    files = Files([folder], SUFFIXES)
    whole = files.summary(files.names)
    assert '2/2 [' in capsys.readouterr().err
    (folder / 'a.png').unlink()
    assert files.summary(files.names, {'a.png': zlib.crc32(b'first')}) == whole


def test_damaged_file_in_an_archive_does_not_spoil_the_others(tmp_path):
    archive = write_zip(tmp_path / 'source.zip', {'a.png': bytes(100), 'b.png': b'good'})
    damage_member(archive, 'a.png')
    files = Files([archive], SUFFIXES)
    with pytest.raises(BadInputError, match='a.png cannot be read from .*source.zip: Bad CRC-32'):
        files.read('a.png')
    assert files.read('b.png') == b'good'


def test_vanished_file_is_named(tmp_path):
    folder = write_folder(tmp_path / 'folder', {'a.png': b''})
    files = Files([folder], SUFFIXES)
    (folder / 'a.png').unlink()
    with pytest.raises(BadInputError, match='a.png cannot be read from .*folder: .*No such file'):
        files.read('a.png')


# Splits


def test_test_set_has_the_share_asked_for_and_depends_on_the_seed_only():
    names = [f'{i}.png' for i in range(200)]
    test = conversion.draw_test_names(names, 0.1, seed=0)
    assert len(test) == 20 and test < set(names)
    assert test == conversion.draw_test_names(reversed(names), 0.1, seed=0)
    assert test != conversion.draw_test_names(names, 0.1, seed=1)
    # A name keeps its place when another one goes.
    without_one = conversion.draw_test_names(set(names) - {min(test)}, 0.1, seed=0)
    assert len(test & without_one) == 19


@pytest.mark.parametrize('share, count', [(0.001, 1), (0.999, 4)])
def test_no_set_is_empty(share, count):
    assert len(conversion.draw_test_names('abcde', share, 0)) == count


def test_one_image_cannot_be_split():
    with pytest.raises(ConversionError, match='only 1 image: too few'):
        conversion.draw_test_names(['a'], 0.5, 0)


def test_names_by_stem():
    assert conversion.by_stem(['x/1_id.png', '2.png'], '_id') == {'1': 'x/1_id.png', '2': '2.png'}
    with pytest.raises(ConversionError, match='a/1.png and b/1.jpg have the same name'):
        conversion.by_stem(['a/1.png', 'b/1.jpg'])


# The work


def render(contents):
    """A grey image of the brightness that the file gives, and its label map."""
    value = contents['image'].decode()
    if value == 'odd':
        raise conversion.LeftOutError('is odd')
    if not value.isdigit():
        raise BadInputError(f'holds {value}')
    return dict(image=image_of((int(value), ) * 3), labels19=image_of(int(value), 'L'))


def job_of(folder, values, domain='A', render=render, **settings):
    """A job that converts text files 0.png, 1.png, ... of these values."""
    write_folder(folder, {f'{i}.png': value.encode() for i, value in enumerate(values)})
    files = Files([folder], SUFFIXES)
    tasks = [Task(name, dict(image=('images', name)),
                  {'labels19': f'train{domain}_labels19/{name}', 'image': f'train{domain}/{name}'})
             for name in files.names]
    return Job(domain, tasks, dict(images=files), render, dict(settings, size=(2, 3)))


def pixel(content):
    return Image.open(io.BytesIO(content)).getpixel((0, 0))


def test_images_labels_and_manifest_are_written(tmp_path, capsys):
    job = job_of(tmp_path / 'in', ['10', '20', 'odd', 'bad'], seed=3)
    job.failed['4.png'], job.excluded['too dark'] = 'has no label', 5
    out = tmp_path / 'out'
    assert conversion.convert([job], out, workers=0) == 1
    files = tree(out)
    assert sorted(files) == ['manifest.json', 'trainA/0.png', 'trainA/1.png',
                             'trainA_labels19/0.png', 'trainA_labels19/1.png']
    assert pixel(files['trainA/1.png']) == (20, 20, 20)
    assert pixel(files['trainA_labels19/1.png']) == 20
    assert section(out, 'A') == dict(
        complete=True,
        settings=dict(seed=3, size=[2, 3]),
        counts=dict(trainA=2, trainA_labels19=2),
        sources=dict(images=job.sources['images'].summary(['0.png', '1.png'])),
        excluded={'too dark': 5},
        left_out={'2.png': 'is odd'},
        failed={'3.png': 'holds bad', '4.png': 'has no label'})
    printed = capsys.readouterr()
    assert '2 in trainA' in printed.out and '2.png: is odd' in printed.out
    assert 'not used: 5 (too dark)' in printed.out
    assert "2 of domain A could not be used:\n  3.png: holds bad\n  4.png: has no" in printed.err
    assert '4/4 [' in printed.err and 'img/s]' in printed.err  # the progress bar


def test_worker_processes_give_the_same_bytes(tmp_path):
    values = [str(i) for i in range(40)] + ['odd', 'bad']
    codes = [conversion.convert([job_of(tmp_path / 'in', values)], tmp_path / f'out{workers}',
                                workers) for workers in (0, 2)]
    assert codes == [1, 1]
    assert tree(tmp_path / 'out0') == tree(tmp_path / 'out2')
    assert len(tree(tmp_path / 'out2')) == 81


def test_same_command_again_skips_what_is_done(tmp_path, capsys):
    out, rendered = tmp_path / 'out', []

    def recording(contents):
        rendered.append(contents['image'])
        return render(contents)

    def run(values):
        rendered.clear()
        return conversion.convert([job_of(tmp_path / 'in', values, render=recording)], out, 0)

    assert run(['1', 'bad', '3']) == 1
    before = tree(out)
    assert run(['1', 'bad', '3']) == 1 and rendered == [b'bad']
    assert tree(out) == before
    assert run(['1', '2', '3']) == 0 and rendered == [b'2']  # repaired
    assert section(out, 'A')['failed'] == {} and section(out, 'A')['counts']['trainA'] == 3
    capsys.readouterr()
    assert run(['1', '2', '3']) == 0 and rendered == []
    assert 'domain A is already complete' in capsys.readouterr().out
    (out / 'trainA_labels19' / '0.png').unlink()
    assert run(['1', '2', '3']) == 0 and rendered == [b'1']


@pytest.mark.parametrize('after', [0, 1, 2, 3, 4])
def test_full_disk_stops_and_leaves_nothing_half(tmp_path, monkeypatch, after):
    out, values = tmp_path / 'out', ['1', '2']
    conversion.convert([job_of(tmp_path / 'in', values)], tmp_path / 'whole', 0)
    whole = tree(tmp_path / 'whole')
    job = job_of(tmp_path / 'in', values)
    with monkeypatch.context() as patched:
        fill_disk(patched, after)  # the first file written is the manifest
        with pytest.raises(UserError, match='cannot write .*: No space left on device. What '
                           'is done is kept: cure this and run the same command'):
            conversion.convert([job], out, 0)
    left = tree(out)
    assert {name for name in left if name != 'manifest.json'} <= set(whole)
    assert all(left[name] == whole[name] for name in left if name != 'manifest.json')
    assert {f'trainA_labels19/{i}.png' in left for i in '01' if f'trainA/{i}.png' in left} <= {True}
    assert sum(name.startswith('trainA/') for name in left) == max(0, (after - 1) // 2)
    assert sum(name.startswith('trainA_') for name in left) == max(0, (after - 1) // 2)
    assert conversion.convert([job], out, 0) == 0
    assert tree(out) == whole


def test_full_disk_stops_worker_processes_soon(tmp_path, monkeypatch):
    out = tmp_path / 'out'
    job = job_of(tmp_path / 'in', [str(i % 256) for i in range(400)])
    with monkeypatch.context() as patched:
        fill_disk(patched, after=11)
        with pytest.raises(UserError, match='No space left'):
            conversion.convert([job], out, 2)
    left = tree(out)
    assert not any(name.endswith('.tmp') for name in left) and len(left) < 50
    assert section(out, 'A')['complete'] is False
    assert conversion.convert([job], out, 2) == 0
    assert section(out, 'A')['complete'] and len(tree(out)) == 801


def test_wrong_sources_are_noticed_soon(tmp_path):
    def refused(reason, contents):
        tried.append(contents)
        raise reason('is a label map')

    for reason in (BadInputError, conversion.LeftOutError):
        tried = []
        job = job_of(tmp_path / 'in', ['1'] * 60, render=partial(refused, reason))
        with pytest.raises(ConversionError, match='none of the first 20 images tried of domain A '
                           'could be used, such as .*.png: is a label map. Are these the right '
                           'sources'):
            conversion.convert([job], tmp_path / 'out', 0)
        assert len(tried) == 20 and list(tree(tmp_path / 'out')) == ['manifest.json']
        assert section(tmp_path / 'out', 'A')['complete'] is False


def test_many_bad_images_in_a_row_are_not_wrong_sources(tmp_path):
    out, values = tmp_path / 'out', ['bad'] * 45 + ['1'] * 15
    for _ in range(2):  # the second time, only bad ones are left to do
        assert conversion.convert([job_of(tmp_path / 'in', values)], out, 0) == 1
        assert len(section(out, 'A')['failed']) == 45
        assert section(out, 'A')['counts']['trainA'] == 15


def test_nothing_made_is_a_failure(tmp_path, capsys):
    assert conversion.convert([job_of(tmp_path / 'in', ['odd'])], tmp_path / 'out', 0) == 1
    printed = capsys.readouterr().out
    assert 'out: nothing\n' in printed and '1 of domain A left out:\n  0.png: is odd' in printed


def test_checksums_are_those_of_the_files_and_no_file_is_read_twice(tmp_path, monkeypatch):
    job = job_of(tmp_path / 'in', ['1', '2'])
    expected, reads = job.sources['images'].summary(job.sources['images'].names), []
    read = Files.read
    monkeypatch.setattr(Files, 'read',
                        lambda files, name: reads.append(name) or read(files, name))
    conversion.convert([job], tmp_path / 'out', 0)
    assert section(tmp_path / 'out', 'A')['sources'] == dict(images=expected)
    assert reads == ['0.png', '1.png']


def start(job, out):
    """Runs a conversion with two workers in a session of its own.

    Returns the process, and a pipe that ends when it and its workers have ended.
    """
    def main():
        os.close(end)
        os.setsid()
        # Started in the background of a script, the tests inherit that SIGINT is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        conversion.exit_with(partial(conversion.convert, [job], out, 2))

    end, kept = os.pipe()
    process = multiprocessing.get_context('fork').Process(target=main)
    process.start()
    os.close(kept)
    return process, end


def slow(contents):
    time.sleep(0.02)
    return render(contents)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_process_leaves_no_workers_and_goes_on(tmp_path, number):
    job = job_of(tmp_path / 'in', ['1'] * 100, render=slow)
    out = tmp_path / 'out'
    process, end = start(job, out)
    limit = time.monotonic() + 60
    while not list(out.glob('trainA/*.png')) and time.monotonic() < limit:
        time.sleep(0.01)
    if number == signal.SIGINT:  # Ctrl-C goes to the workers, too
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    try:
        assert select.select([end], [], [], 20)[0], 'workers are left'
        assert os.read(end, 1) == b''
    finally:
        os.close(end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == (1 if number == signal.SIGINT else -number)
    left = {name: content for name, content in tree(out).items() if name.endswith('.png')}
    assert 0 < len(left) < 200
    assert all(Image.open(io.BytesIO(content)).getpixel((0, 0)) in (1, (1, 1, 1))
               for content in left.values())
    job.render = render
    assert conversion.convert([job], out, 2) == 0
    whole = tree(out)
    assert len(whole) == 201 and left.items() < whole.items()


def test_killed_worker_is_an_error_and_not_a_hang(tmp_path):
    job = job_of(tmp_path / 'in', ['1', '2'],
                 render=lambda contents: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ConversionError, match='worker process was killed, perhaps for lack of mem'):
        conversion.convert([job], tmp_path / 'out', 1)


def test_interruption_keeps_what_is_done(tmp_path):
    def interrupted(contents):
        if contents['image'] == b'2':
            raise KeyboardInterrupt
        return render(contents)

    job, out = job_of(tmp_path / 'in', ['1', '2'], render=interrupted), tmp_path / 'out'
    with pytest.raises(SystemExit, match='Interrupted. What is done is kept'):
        conversion.exit_with(partial(conversion.convert, [job], out, 0), conversion.KEPT)
    assert sorted(tree(out)) == ['manifest.json', 'trainA/0.png', 'trainA_labels19/0.png']
    job.render = render
    assert conversion.convert([job], out, 0) == 0


def test_interruption_between_label_and_image_leaves_neither(tmp_path, monkeypatch):
    write_bytes = Path.write_bytes

    def interrupted(path, content):
        if path.parent.name == 'trainA':
            raise KeyboardInterrupt
        return write_bytes(path, content)

    job = job_of(tmp_path / 'in', ['1'])
    monkeypatch.setattr(Path, 'write_bytes', interrupted)
    with pytest.raises(KeyboardInterrupt):
        conversion.convert([job], tmp_path / 'out', 0)
    assert list(tree(tmp_path / 'out')) == ['manifest.json']


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    out, job = tmp_path / 'out', job_of(tmp_path / 'in', ['1'])
    conversion.convert([job], out, 0)
    whole = tree(out)
    (out / 'trainA' / '123.tmp').write_bytes(b'half')
    (out / 'trainA' / '0.png').write_bytes(b'')  # the machine lost power
    conversion.convert([job], out, 0)
    assert tree(out) == whole


def test_domains_share_a_folder_and_a_manifest(tmp_path):
    out = tmp_path / 'out'
    jobs = {domain: job_of(tmp_path / domain, ['1', '2'], domain) for domain in 'AB'}
    conversion.convert([jobs['A']], out, 0)
    first = tree(out / 'trainA')
    conversion.convert([jobs['B']], out, 0)
    assert tree(out / 'trainA') == first and section(out, 'A')['complete']
    assert section(out, 'B')['counts'] == dict(trainB=2, trainB_labels19=2)
    assert conversion.convert(list(jobs.values()), out, 0) == 0


def test_folders_with_other_content_are_refused(tmp_path):
    out = tmp_path / 'out'
    conversion.convert([job_of(tmp_path / 'in', ['1', '2', '3'], seed=0)], out, 0)
    before = tree(out)
    with pytest.raises(ConversionError, match='A with other settings .seed was 0, now 1.: choose'):
        conversion.convert([job_of(tmp_path / 'in', ['1', '2', '3'], seed=1)], out, 0)
    with pytest.raises(ConversionError, match='1 images that this command does not make, such as '
                       'trainA/2.png|2 images .* trainA/2.png'):
        conversion.convert([job_of(tmp_path / 'fewer', ['1', '2'], seed=0)], out, 0)
    assert tree(out) == before
    (out / 'manifest.json').unlink()
    with pytest.raises(ConversionError, match='holds 6 images that this command does not make'):
        conversion.convert([job_of(tmp_path / 'in', ['1', '2', '3'], seed=0)], out, 0)
    for content in ('', '{"task": "single"}', '{"domains": []}', '{"domains": {"A": 3}}',
                    '{"domains": {"A": {"settings": 3}}}', '{"domains": {"A": {}}}'):
        (out / 'manifest.json').write_text(content)
        with pytest.raises(ConversionError, match='json was not written by this converter'):
            conversion.convert([job_of(tmp_path / 'in', ['1', '2', '3'], seed=0)], out, 0)


def test_results_do_not_go_among_the_sources(tmp_path):
    job = job_of(tmp_path / 'in', ['1'])
    for out in (tmp_path / 'in', tmp_path / 'in' / 'new' / 'out'):
        with pytest.raises(ConversionError, match='--out .* lies in .*in, where the images come'):
            conversion.convert([job], out, 0)
    assert list(tree(tmp_path / 'in')) == ['0.png']


def test_out_must_be_a_folder(tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(UserError, match='--out .*out must be a folder'):
        conversion.convert([job_of(tmp_path / 'in', ['1'])], tmp_path / 'out', 0)


def test_bad_second_job_is_found_before_the_first_one_starts(tmp_path):
    jobs = [job_of(tmp_path / 'A', ['1']), job_of(tmp_path / 'B', ['1'], 'B')]
    jobs[1].tasks, jobs[1].failed = [], {'x.png': 'has no label'}
    with pytest.raises(ConversionError, match='no images for domain B; x.png has no label'):
        conversion.convert(jobs, tmp_path / 'out', 0)
    assert not (tmp_path / 'out').exists()


def test_two_inputs_of_one_name(tmp_path):
    job = job_of(tmp_path / 'in', ['1', '2'])
    job.tasks[1] = job.tasks[1]._replace(outputs=job.tasks[0].outputs)
    assert conversion.convert([job], tmp_path / 'out', 0) == 1
    assert section(tmp_path / 'out', 'A')['failed'] == {
        '1.png': 'would become trainA/0.png, as 0.png does: rename one'}
    assert pixel(tree(tmp_path / 'out')['trainA/0.png']) == (1, 1, 1)


def test_long_reports_are_cut(tmp_path, capsys):
    conversion.convert([job_of(tmp_path / 'in', ['1'] + ['bad'] * 60)], tmp_path / 'out', 0)
    printed = capsys.readouterr().err
    assert printed.count('holds bad') == 50 and '... and 10 more: ' in printed
    assert len(section(tmp_path / 'out', 'A')['failed']) == 60


def test_unwritable_folder_is_an_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write .*x.png: File exists'):
        conversion.write_output(tmp_path / 'file' / 'x.png', b'')


def test_writing_replaces_at_once(tmp_path, monkeypatch):
    path = tmp_path / 'new' / 'x.png'
    conversion.write_output(path, b'old')
    with monkeypatch.context() as patched:
        fill_disk(patched, after=0)
        with pytest.raises(UserError, match='No space left'):
            conversion.write_output(path, b'newer')
    assert tree(tmp_path) == {'new/x.png': b'old'}
    conversion.write_output(path, b'newer')
    assert tree(tmp_path) == {'new/x.png': b'newer'}


def test_long_names_are_written(tmp_path):
    conversion.write_output(tmp_path / ('x' * 251 + '.png'), b'')
    assert [len(name) for name in tree(tmp_path)] == [255]


def test_names_that_the_terminal_cannot_show_are_printed(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), 'ascii')
    monkeypatch.setattr('sys.stdout', terminal)
    with pytest.raises(SystemExit):
        conversion.exit_with(partial(print, 'é\udcff.png'))
    terminal.flush()
    assert terminal.buffer.getvalue() == b'\\xe9\\udcff.png\n'


def test_exit_codes_and_messages():
    def refused():
        raise ConversionError('x.zip is damaged')

    for main, code in ((lambda: 0, 0), (lambda: 1, 1), (refused, 'Error: x.zip is damaged')):
        with pytest.raises(SystemExit) as caught:
            conversion.exit_with(main)
        assert caught.value.code == code


def test_formats(tmp_path):
    noise = Image.fromarray(np.random.randint(0, 256, (16, 16, 3), np.uint8))
    for name in conversion.FORMATS:
        paths = conversion.output_paths('test', 'B', 'x/1', name, with_labels=True)
        assert list(paths.items()) == [
            ('labels19', 'testB_labels19/x/1.png'), ('labels8', 'testB_labels8/x/1.png'),
            ('image', f'testB/x/1.{name}')]
        image = Image.open(io.BytesIO(conversion.encode(noise, name)))
        difference = np.abs(np.asarray(image).astype(int) - np.asarray(noise)).mean()
        assert difference == 0 if name == 'png' else 0 < difference < 5
    assert Path(paths['image']).suffix == '.jpg'
