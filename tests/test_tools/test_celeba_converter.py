# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
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

# Male, Smiling, partition (0 train, 1 validation, 2 test) by face.
FACES = {
    '000001.jpg': (1, -1, 0), '000002.jpg': (-1, 1, 0), '000003.jpg': (1, 1, 0),
    '000004.jpg': (-1, -1, 1), '000005.jpg': (1, -1, 2), '000006.jpg': (-1, 1, 2),
    '000007.jpg': (1, 1, 1), '000008.jpg': (-1, -1, 0),
}


def face():
    """Red rows above and blue rows below what is cut out; a ramp from left to right within."""
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[:20, :, 0] = 255
    pixels[198:, :, 2] = 255
    pixels[20:198, :, 1] = np.arange(178)
    return pixels


def faces():
    # PNG content: Pillow goes by content, and the colours stay exact.
    return {f'img_align_celeba/{name}': encoded(face()) for name in FACES}


def write_lists(folder, attributes=FACES, partition=FACES):
    folder.mkdir()
    lines = [str(len(attributes)), 'Male Smiling ']
    lines += [f'{name} {male:2d} {smiling:2d}' for name, (male, smiling, _) in attributes.items()]
    (folder / 'list_attr_celeba.txt').write_text('\n'.join(lines) + '\n')
    (folder / 'list_eval_partition.txt').write_text(
        ''.join(f'{name} {part}\n' for name, (_, _, part) in partition.items()))
    return folder


@pytest.fixture
def celeba(tmp_path):
    folder = write_lists(tmp_path / 'celeba')
    write_zip(folder / 'img_align_celeba.zip', faces())
    return folder


def run(celeba, out, *more, images='img_align_celeba.zip', workers=0):
    return run_converter(
        'celeba', '--images', celeba / images, '--attributes', celeba / 'list_attr_celeba.txt',
        '--partition', celeba / 'list_eval_partition.txt', '--out', out, *more, workers=workers)


def numbers(out):
    """Numbers of the faces in every folder."""
    return {folder.name: sorted(int(path.stem) for path in folder.iterdir())
            for folder in out.iterdir() if folder.is_dir()}


def test_faces_are_split_by_attribute_and_partition(celeba, tmp_path):
    out = tmp_path / 'out'
    assert run(celeba, out) == 0
    assert numbers(out) == dict(trainA=[1, 3], testA=[5], trainB=[2, 8], testB=[6])
    for domain, counts, value in (('A', dict(testA=1, trainA=2), 1),
                                  ('B', dict(testB=1, trainB=2), -1)):
        part = section(out, domain)
        assert part['counts'] == counts and part['excluded'] == {'validation set': 1}
        assert part['sources']['images']['files'] == 3
        assert part['settings'] == dict(converter='celeba', attribute='Male', value=value,
                                        validation=None, size=[128, 128], format='png')


@pytest.mark.parametrize('place, expected', [
    ('train', dict(trainA=[1, 3, 7], testA=[5], trainB=[2, 4, 8], testB=[6])),
    ('test', dict(trainA=[1, 3], testA=[5, 7], trainB=[2, 8], testB=[4, 6])),
])
def test_validation_set_goes_where_asked(celeba, tmp_path, place, expected):
    run(celeba, tmp_path / 'out', '--validation', place)
    assert numbers(tmp_path / 'out') == expected


def test_other_attribute(celeba, tmp_path):
    run(celeba, tmp_path / 'out', '--attribute', 'Smiling')
    assert numbers(tmp_path / 'out') == dict(trainA=[2, 3], testA=[6], trainB=[1, 8], testB=[5])


def test_rows_20_to_198_are_resized_twice(celeba, tmp_path):
    run(celeba, tmp_path / 'out')
    image = read(tmp_path / 'out' / 'trainA' / '000001.png')
    assert image.shape == (128, 128, 3)
    assert not image[..., 0].any() and not image[..., 2].any()  # nothing of the red and blue rows
    # The same pixels by hand.
    cut = Image.fromarray(face()[20:198])
    assert cut.size == (178, 178)
    twice = cut.resize((132, 132), Image.LANCZOS).resize((128, 128), Image.LANCZOS)
    np.testing.assert_array_equal(image, np.asarray(twice))
    # A ramp stays a ramp: 178 grey values over 128 columns.
    expected = (np.arange(128) + 0.5) * 178 / 128 - 0.5
    assert np.abs(image[64, 3:-3, 1] - expected[3:-3]).max() <= 1


def test_unpacked_folder_and_worker_processes_give_the_same(celeba, tmp_path):
    write_folder(celeba, faces())
    run(celeba, tmp_path / 'archive', workers=2)
    run(celeba, tmp_path / 'folder', images='img_align_celeba')
    archive, folder = tree(tmp_path / 'archive'), tree(tmp_path / 'folder')
    del archive['manifest.json'], folder['manifest.json']  # other names of the sources
    assert archive == folder and len(folder) == 6


@pytest.mark.parametrize('suffix', ['.JPG', '.png'])
def test_other_suffix_of_the_images(celeba, tmp_path, suffix):
    """The lists always say .jpg; there is an archive of PNG files, too."""
    write_zip(celeba / 'img_align_celeba.zip',
              {name.replace('.jpg', suffix): content for name, content in faces().items()})
    assert run(celeba, tmp_path / 'out') == 0
    assert numbers(tmp_path / 'out') == dict(trainA=[1, 3], testA=[5], trainB=[2, 8], testB=[6])


def test_a_face_twice_is_refused(celeba, tmp_path):
    files = faces()
    files['again/000001.jpg'] = files['img_align_celeba/000001.jpg']
    write_zip(celeba / 'img_align_celeba.zip', files)
    with pytest.raises(ConversionError, match='again/000001.jpg and img_align_celeba/000001.jpg '
                       'have the same name'):
        run(celeba, tmp_path / 'out')


def test_lists_as_an_editor_of_windows_saves_them(celeba, tmp_path):
    for name in ('list_attr_celeba.txt', 'list_eval_partition.txt'):
        content = (celeba / name).read_bytes()
        (celeba / name).write_bytes(b'\xef\xbb\xbf' + content.replace(b'\n', b'\r\n') + b'\r\n')
    assert run(celeba, tmp_path / 'out') == 0
    assert numbers(tmp_path / 'out') == dict(trainA=[1, 3], testA=[5], trainB=[2, 8], testB=[6])


def test_attribute_that_all_faces_have(tmp_path):
    celeba = write_lists(tmp_path / 'celeba', {name: (1, 1, 0) for name in FACES})
    write_zip(celeba / 'img_align_celeba.zip', faces())
    with pytest.raises(ConversionError, match='list_attr_celeba.txt names no face without Male'):
        run(celeba, tmp_path / 'out')


def test_missing_and_damaged_faces_are_named_and_the_others_kept(tmp_path, capsys):
    files = faces()
    del files['img_align_celeba/000001.jpg']
    files['img_align_celeba/000002.jpg'] = files['img_align_celeba/000002.jpg'][:200]
    files['img_align_celeba/000006.jpg'] = encoded(face()[:200])
    files['img_align_celeba/000099.jpg'] = encoded(face())
    partition = {name: value for name, value in FACES.items() if name != '000005.jpg'}
    celeba = write_lists(tmp_path / 'celeba', partition=partition)
    archive = write_zip(celeba / 'img_align_celeba.zip', files)
    damage_member(archive, 'img_align_celeba/000008.jpg')
    out = tmp_path / 'out'
    assert run(celeba, out) == 1
    assert section(out, 'A')['failed'] == {
        '000001.jpg': f'is not in {archive}',
        '000005.jpg': f"is not in {celeba / 'list_eval_partition.txt'}",
        'img_align_celeba/000099.jpg': f"is not in {celeba / 'list_attr_celeba.txt'}"}
    failed = section(out, 'B')['failed']
    assert sorted(failed) == [f'img_align_celeba/{i:06d}.jpg' for i in (2, 6, 8)]
    assert 'the image cannot be decoded' in failed['img_align_celeba/000002.jpg']
    assert 'is 178x200, not an aligned face of 178x218' in failed['img_align_celeba/000006.jpg']
    assert 'Bad CRC-32' in failed['img_align_celeba/000008.jpg']
    assert '3 of domain B could not be used' in capsys.readouterr().err
    assert numbers(out) == dict(trainA=[3])


def test_truncated_archive_is_named_and_nothing_written(celeba, tmp_path):
    truncate(celeba / 'img_align_celeba.zip')
    with pytest.raises(ConversionError, match='img_align_celeba.zip is damaged or truncated'):
        run(celeba, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_full_disk(celeba, tmp_path, monkeypatch):
    run(celeba, tmp_path / 'whole')
    with monkeypatch.context() as patched:
        fill_disk(patched, after=6)
        with pytest.raises(UserError, match='No space left on device'):
            run(celeba, tmp_path / 'out')
    left, whole = tree(tmp_path / 'out'), tree(tmp_path / 'whole')
    del left['manifest.json']
    assert len(left) == 3 and left.items() < whole.items()
    assert run(celeba, tmp_path / 'out') == 0
    assert tree(tmp_path / 'out') == whole


def test_unknown_attribute_names_those_there_are(celeba, tmp_path):
    with pytest.raises(ConversionError, match="no attribute 'Bald'; it has Male, Smiling"):
        run(celeba, tmp_path / 'out', '--attribute', 'Bald')


@pytest.mark.parametrize('name, content, match', [
    ('list_attr_celeba.txt', '', 'is not list_attr_celeba.txt: expected the number'),
    ('list_attr_celeba.txt', '000001.jpg 0\n' * 4, 'is not list_attr_celeba.txt'),
    ('list_attr_celeba.txt', '8\nMale Smiling\n000001.jpg 1 1\n', 'says 8 faces, it has 1'),
    ('list_attr_celeba.txt', '1\nMale Smiling\n000001.jpg 1\n', 'line 3 of .* with 2 values 1 or'),
    ('list_attr_celeba.txt', '1\nMale\n000001.jpg 0\n', 'line 3 of .*list_attr_celeba.txt is not'),
    ('list_eval_partition.txt', '000001.jpg 0\n000002.jpg 3\n', "line 2 of .* '000002.jpg 3'"),
    ('list_eval_partition.txt', '8\nMale\n', 'line 1 of .*list_eval_partition.txt is not'),
])
def test_bad_lists_are_named(celeba, tmp_path, name, content, match):
    (celeba / name).write_text(content)
    with pytest.raises(ConversionError, match=match):
        run(celeba, tmp_path / 'out')


def test_missing_list_is_named(celeba, tmp_path):
    (celeba / 'list_eval_partition.txt').unlink()
    with pytest.raises(ConversionError, match='cannot read .*list_eval_partition.txt: .*No such'):
        run(celeba, tmp_path / 'out')


def test_help_says_where_the_data_comes_from(capsys):
    with pytest.raises(SystemExit):
        run_converter('celeba', '--help')
    text = capsys.readouterr().out
    for words in ('mmlab.ie.cuhk.edu.hk', 'img_align_celeba/000001.jpg', 'rows 20..198'):
        assert words in text
