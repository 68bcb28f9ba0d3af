# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Every part of the package finds the same images in a folder, and writes files whole."""
import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_data import write_tiny_digits
from tool import TOOLS, Tool

from egscit_mm.datasets import ExemplarImageDataset
from egscit_mm.datasets.conversion import Files
from egscit_mm.utils.errors import UserError, sentence_for_the_user
from egscit_mm.utils.files import (
    check_folder,
    check_outputs,
    read_json,
    read_tensors,
    write_atomically,
    write_json,
)
from egscit_mm.utils.listing import IMAGE_SUFFIXES, find_images, list_images
from egscit_mm.utils.records import fingerprint

HIDDEN = ('.hidden.png', '._x.png', '__MACOSX/x.png', '__MACOSX/sub/._x.png',
          '.ipynb_checkpoints/x-checkpoint.png', '.Trash-1000/files/x.png', '.git/x.png',
          '@eaDir/x.png/thumb.jpg', 'sub/@eaDir/x.png', '$RECYCLE.BIN/x.png', 'lost+found/x.png')
IGNORED = ('notes.txt', 'Thumbs.db', 'desktop.ini', 'x.png.part', 'png')
IMAGES = ['10.png', '2.png', 'B.PNG', 'a.webp', 'b.bmp', 'c.TIF', 'd.tiff', 'e.JPeG',
          'folder.png/i.ppm', 'sub/deep/f.jpg', 'sub-1.png']


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'')
    kind = Image.registered_extensions().get(path.suffix.lower(), 'PNG')
    Image.new('RGB', (4, 4)).save(path, kind)


@pytest.fixture
def folder(tmp_path):
    """A folder of images with what systems put beside them."""
    for name in (*IMAGES, *HIDDEN, *IGNORED):
        image(tmp_path / 'data' / 'testA' / name)
    return tmp_path / 'data' / 'testA'


def of_dataset(folder):
    (folder.parent / 'testB').exists() or image(folder.parent / 'testB' / '0.png')
    dataset = ExemplarImageDataset(folder.parent, [], test_mode=True)
    paths = [dataset.get_data_info(i)['img_A_path'] for i in range(len(dataset))]
    return [os.path.relpath(path, folder) for path in paths]


def of_translation(folder):
    return [os.path.relpath(path, folder) for _, path in find_images([str(folder)])]


def of_pattern(folder):
    found = find_images([str(folder / '**' / '*')])
    assert all(folder / name == path for name, path in found)
    return [name.as_posix() for name, _ in found]


def of_converter(folder):
    return Files([folder], IMAGE_SUFFIXES).names


WAYS = [list_images, of_dataset, of_translation, of_pattern, of_converter]


@pytest.mark.parametrize('ways', WAYS)
def test_the_same_images(ways, folder):
    assert ways(folder) == sorted(IMAGES)


@pytest.mark.parametrize('ways', WAYS)
def test_links(ways, folder, tmp_path):
    image(tmp_path / 'elsewhere' / 'linked.png')
    image(tmp_path / 'data' / 'other.png')
    (folder / 'alink').symlink_to(tmp_path / 'elsewhere')
    (folder / 'zlink').symlink_to(tmp_path / 'elsewhere')  # the same once more
    (folder / 'aaa').symlink_to(folder / 'sub')  # has a name of its own here
    (folder / 'file.png').symlink_to(tmp_path / 'elsewhere' / 'linked.png')
    (folder / 'circle').symlink_to(folder)
    (folder / 'sub' / 'circle').symlink_to(folder)
    (folder / 'up').symlink_to(tmp_path / 'data')  # would bring the other domains in
    (tmp_path / 'elsewhere' / 'up').symlink_to(tmp_path / 'data')
    (tmp_path / 'elsewhere' / 'back').symlink_to(folder / 'sub')
    assert ways(folder) == sorted([*IMAGES, 'alink/linked.png', 'file.png'])


def test_the_folder_itself_may_be_hidden_or_a_link(folder, tmp_path):
    hidden = folder.rename(tmp_path / '.hidden')
    assert list_images(hidden) == sorted(IMAGES)
    (tmp_path / 'link').symlink_to(hidden)
    assert list_images(tmp_path / 'link') == sorted(IMAGES)
    assert len(find_images([str(tmp_path / 'link' / '*.png')])) == 3


def spoil(folder):
    (folder / 'gone.png').symlink_to(folder / 'nothing.png')
    (folder / 'gone_folder').symlink_to(folder / 'nothing')
    (folder / 'loop.png').symlink_to('loop.png')
    (folder / 'void.png').write_bytes(b'')


def test_dataset_names_broken_links_and_empty_files(folder):
    spoil(folder)
    with pytest.raises(ValueError, match='cannot read 4 of 15 images') as error:
        of_dataset(folder)
    for words in ('gone.png is a link that leads nowhere', 'gone_folder is a link', 'loop.png is',
                  'void.png is empty'):
        assert str(folder / words) in str(error.value)


@pytest.mark.parametrize('ways', [of_translation, of_pattern, of_converter])
def test_broken_files_are_listed_for_the_report(ways, folder):
    spoil(folder)
    assert {*ways(folder)} - {*IMAGES} == {'gone.png', 'gone_folder', 'loop.png', 'void.png'}


@pytest.mark.parametrize('ways', WAYS)
def test_unreadable_folder(ways, folder, monkeypatch):
    closed = folder / 'sub' / 'deep'
    scandir = os.scandir

    def refuse(path):  # root may list everything: pretend
        if os.fspath(path) == str(closed):
            raise PermissionError(13, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(UserError, match='Permission denied') as error:
        ways(folder)
    assert str(closed) in str(error.value)


@pytest.mark.skipif(sys.platform == 'win32', reason='names of bytes')
def test_names_of_any_bytes(folder):
    name = os.fsdecode(b'caf\xe9.png')
    image(folder / name)
    assert name in list_images(folder)


def test_patterns(folder):
    def names(*parts):
        return [name.as_posix() for name, _ in find_images([os.path.join(folder, *parts)])]

    assert names('*.png') == ['10.png', '2.png', 'sub-1.png']
    assert names('[12]*.png') == ['10.png', '2.png']
    assert names('**', '*.jpg') == ['sub/deep/f.jpg'] == names('s*', '**', '*.jpg')
    assert names('**', 'deep', '*') == ['sub/deep/f.jpg']
    assert names('**', '2.png') == ['2.png']
    assert names('**') == sorted(IMAGES)
    with pytest.raises(UserError, match='matches no images'):
        names('.*')


def test_no_part_lists_folders_of_images_on_its_own():
    """One lister: whoever needs the images of a folder calls list_images."""
    sources = [*TOOLS.glob('**/*.py'), *TOOLS.parent.glob('egscit_mm/**/*.py'),
               *TOOLS.parent.glob('demo/*.py')]
    for path in sources:
        text = path.read_text()
        if path.name not in ('listing.py', 'site_hooks.py'):  # the latter lists modules
            for words in ('os.walk(', 'os.scandir(', '.rglob(', '.iterdir())', 'IMG_EXTENSIONS',
                          "glob('*.png')", 'mmcv.imread('):
                assert words not in text or (path.name, words) == ('painted.py', '.iterdir())'), (
                    path, words)


@pytest.mark.parametrize('tool, arguments', [
    ('export_onnx.py', ['CONFIG', 'CHECKPOINT', '--out', 'CHECKPOINT']),
    ('test.py', ['CONFIG', 'CHECKPOINT', '--out', 'CONFIG']),
])
def test_tools_do_not_replace_what_they_read(tool, arguments, tmp_path):
    config = TOOLS.parent / 'configs' / 'egscit' / 'egscit_quickstart.py'
    files = dict(CONFIG=tmp_path / 'config.py', CHECKPOINT=tmp_path / 'model.onnx')
    for path in files.values():
        path.write_bytes(config.read_bytes())
    with pytest.raises((UserError, SystemExit), match='would replace'):
        Tool(tool)(*[files.get(word, word) for word in arguments])
    assert {path.read_bytes() for path in files.values()} == {config.read_bytes()}


def test_check_outputs(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'in')
    check_outputs([(tmp_path / 'out' / 'a', 'one'), (tmp_path / 'out' / 'b', 'two')],
                  [tmp_path / 'in' / 'a'])
    for outputs, inputs, message in (
            (['out/a', 'out/A'], [], 'would be both file 0 and file 1: rename one'),
            (['out/a', 'out/b/../a'], [], 'would be both'),
            (['in/a', 'link/a'], [], 'would be both'),
            (['out/a', 'out/a/b/c'], [], 'both file 0 and the folder of file 1'),
            (['link/a'], ['in/a'], 'link/a, file 0, would replace .*in/a'),
            (['in/A'], ['in/a'], 'would replace')):
        with pytest.raises(UserError, match=message):
            check_outputs([(tmp_path / name, f'file {index}')
                           for index, name in enumerate(outputs)],
                          [tmp_path / name for name in inputs])


def test_what_cannot_be_written_is_refused_beforehand(tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'gone').symlink_to('nothing')
    (tmp_path / 'folder').mkdir()
    check_folder(tmp_path / 'new' / 'folder', '--out')
    check_outputs([(Path(os.devnull), 'the figures'), (tmp_path / 'file', 'the picture')])
    for name in ('file', 'file/below', 'gone'):
        message = f'must be a folder: {tmp_path / name.split("/")[0]} is none. Choose another'
        with pytest.raises(UserError, match=f'--out {message}'):
            check_folder(tmp_path / name, '--out')
        with pytest.raises(UserError, match=f'The folder of the picture {message}'):
            check_outputs([(tmp_path / name / 'a.png', 'the picture')])
    with pytest.raises(UserError, match='folder, the picture, is a folder: give the name of a fil'):
        check_outputs([(tmp_path / 'folder', 'the picture')])
    with pytest.raises(UserError, match=r'--out: nothing can be written to /proc \(.*\). Choose'):
        check_folder('/proc/new', '--out')  # where root, too, can make nothing
    assert sorted(os.listdir(tmp_path)) == ['file', 'folder', 'gone']


@pytest.mark.parametrize('tool, arguments', [
    ('train.py', ['CONFIG', '--work-dir', 'FILE']),
    ('train.py', ['CONFIG', '--cfg-options', 'work_dir=FILE']),
    ('test.py', ['CONFIG', 'CHECKPOINT', '--work-dir', 'FILE']),
    ('test.py', ['CONFIG', 'CHECKPOINT', '--out', 'FILE/m.json']),
    ('translate.py', ['CONFIG', 'CHECKPOINT', '--content', 'IMAGE', '--exemplar', 'IMAGE', '--out',
                      'FILE']),
    ('translate_video.py', ['CONFIG', 'CHECKPOINT', '--content', 'IMAGE', '--exemplar', 'IMAGE',
                            '--out', 'FILE/film.mkv']),
    ('report.py', ['CONFIG', 'CHECKPOINT', '--out', 'FILE']),
    ('reproduce.py', ['--table', '2', '--budget', 'quick', '--work-dir', 'FILE']),
    ('paint_drive.py', ['--out', 'FILE/film.mkv']),
    ('benchmark.py', ['CONFIG', '--json', 'FILE/m.json']),
    ('train_digit_features.py', ['--data', '.', '--out', 'FILE/features.pth']),
    ('export_onnx.py', ['CONFIG', 'CHECKPOINT', '--out', 'FILE/net.onnx']),
    ('model_converters/publish_model.py', ['CHECKPOINT', 'FILE/model']),
    ('dataset_converters/mnist.py', ['--task', 'single', '--source', 'digits', '--out', 'FILE']),
    ('dataset_converters/streets.py', ['--out', 'FILE']),
    ('analysis/draw_letters.py', ['--out', 'FILE']),
    ('analysis/gpu_report.py', ['FILE']),
    ('analysis/side_by_side.py', ['--json', 'FILE/m.json']),
    ('analysis/benchmark_dataloader.py', ['CONFIG', '--json', 'FILE/m.json']),
    ('analysis/yardsticks.py', ['CONFIG', '--out', 'FILE/m.json']),
    ('analysis/tsne.py', ['CONFIG', 'CHECKPOINT', '--out', 'FILE/m.png']),
    ('analysis/mask_groups.py', ['CONFIG', 'CHECKPOINT', '--content', 'IMAGE', '--out',
                                 'FILE/m.png']),
    ('analysis/style_walk.py', ['CONFIG', 'CHECKPOINT', '--content', 'IMAGE', '--exemplar', 'IMAGE',
                                'IMAGE2', '--out', 'FILE/walk']),
])
def test_tools_say_at_once_that_a_folder_is_wanted(tool, arguments, tmp_path, monkeypatch, capsys):
    files = dict(CONFIG=TOOLS.parent / 'configs' / 'egscit' / 'egscit_quickstart.py',
                 FILE=tmp_path / 'file', CHECKPOINT=tmp_path / 'model.pth',
                 IMAGE=tmp_path / 'a.png', IMAGE2=tmp_path / 'b.png')
    image(files['IMAGE'])
    image(files['IMAGE2'])
    for name in ('FILE', 'CHECKPOINT'):
        files[name].write_bytes(b'')
    data = write_tiny_digits(tmp_path / 'data', train=1, test=1)
    words = []
    for word in arguments:
        for name in ('IMAGE2', *files):
            word = word.replace(name, str(files[name]))
        words.append(word)
    if 'CONFIG' in arguments and tool in ('report.py', 'analysis/tsne.py'):
        words += ['--cfg-options', f'test_dataloader.dataset.data_root={data}']
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(TOOLS)
    with pytest.raises((UserError, SystemExit)) as error:
        Tool(tool)(*words)
    said = f'{error.value}{capsys.readouterr().err}'
    assert 'folder' in said and str(files['FILE']) in said, said
    assert files['FILE'].read_bytes() == b''


@pytest.mark.parametrize('number, remedy', [
    (errno.ENOSPC, 'Free some space'), (errno.EDQUOT, 'Free some space'),
    (errno.EACCES, 'Choose another place, or change'), (errno.EROFS, 'Choose another place, or')])
def test_a_file_that_cannot_be_written_is_named_with_what_to_do(number, remedy, tmp_path,
                                                                monkeypatch):
    monkeypatch.setattr(os, 'replace', lambda *args: (_ for _ in ()).throw(
        OSError(number, os.strerror(number), 'temporary', None, 'other')))
    path = tmp_path / 'model.safetensors'
    with pytest.raises(OSError) as error:
        write_atomically(path, b'')
    sentence = f'cannot write {path}: {os.strerror(number)}. {remedy}'
    assert str(error.value).startswith(sentence)
    assert sentence_for_the_user(error.value) == str(error.value)
    assert (error.value.errno, error.value.filename) == (number, str(path))
    assert not [*tmp_path.iterdir()]


def test_fingerprint(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'abc')
    assert fingerprint(path).startswith('ba7816bf')
    assert fingerprint(tmp_path) == fingerprint(tmp_path / 'none') == 'unreadable'
    os.mkfifo(tmp_path / 'pipe')
    assert fingerprint(tmp_path / 'pipe') == 'unreadable'


class TestWriteJson:

    def test_numpy_numbers_in_a_new_folder(self, tmp_path):
        path = tmp_path / 'new' / 'metrics.txt'
        write_json({'a': {'mean': np.float32(0.5)}, 'b': np.arange(2)}, path)
        assert json.loads(path.read_text()) == {'a': {'mean': 0.5}, 'b': [0, 1]}
        assert [file.name for file in path.parent.iterdir()] == ['metrics.txt']

    def test_old_file_survives_a_failure(self, tmp_path, monkeypatch):
        path = tmp_path / 'metrics.json'
        write_json({'old': 1}, path)
        with pytest.raises(TypeError, match='unsupported for json'):
            write_json({'new': object()}, path)

        def full(*args):
            raise OSError('No space left on device')

        monkeypatch.setattr(os, 'replace', full)
        with pytest.raises(OSError, match='No space left'):
            write_json({'new': 1}, path)
        assert json.loads(path.read_text()) == {'old': 1}
        assert [file.name for file in tmp_path.iterdir()] == ['metrics.json']


def test_files_that_are_cut_off_are_named(tmp_path):
    path = tmp_path / 'x.json'
    write_json(dict(a=[1, 'é']), path)
    assert read_json(path) == dict(a=[1, 'é'])
    tensors = tmp_path / 'x.pth'
    torch.save(dict(a=torch.ones(20000)), tensors)
    assert read_tensors(tensors)['a'].shape == (20000, )
    for file, read in ((path, read_json), (tensors, read_tensors)):
        content = file.read_bytes()
        for length in range(0, len(content) - 1, 1 + len(content) // 50):
            file.write_bytes(content[:length])
            with pytest.raises(UserError, match=f'^{file} is damaged: delete it and run again'):
                read(file)
    tensors.unlink()
    with pytest.raises(FileNotFoundError):
        read_tensors(tensors)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UserError, match='is damaged'):
        read_json(path)
