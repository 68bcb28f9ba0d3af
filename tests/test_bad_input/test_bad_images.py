# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Images of all kinds and files that are none, through every way in that reads one."""
import gc
import importlib.util
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_input import assert_no_rests, files_below, sentence_of
from mmagic.registry import DATASETS
from mmengine.config import Config
from PIL import Image
from tiny_data import picture

from egscit_mm.apis.inferencer import load_image
from egscit_mm.utils import images as reader

REPOSITORY = Path(__file__).parents[2]
LONG = 'a' * 251 + '.png'  # 255 bytes, the longest name of most file systems


def encoded(image, kind='PNG', **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height, width, seed=0):
    return Image.fromarray(picture(height, width, seed))


def good_images():
    """Content of files that every way in takes, by name."""
    small = noise(12, 10)
    images = {f'{height}x{width}.png': encoded(noise(height, width))
              for height, width in ((1, 1), (1, 7), (9, 1), (2, 3), (16, 16), (17, 31))}
    images['wide.png'] = encoded(Image.new('RGB', (4096, 3), (10, 200, 30)))
    images.update({f'{mode}.png': encoded(small.convert(mode)) for mode in (
        'L', '1', 'P', 'RGBA', 'LA')})
    images['16bit.png'] = encoded(Image.fromarray(
        np.arange(0, 65535, 600, dtype=np.uint16)[:100].reshape(10, 10)))
    images['transparent_palette.png'] = encoded(small.convert('P'), transparency=0)
    images['progressive.jpg'] = encoded(small, 'JPEG', progressive=True)
    images['grey.jpg'] = encoded(small.convert('L'), 'JPEG')
    images['cmyk.jpg'] = encoded(small.convert('CMYK'), 'JPEG')
    exif = Image.Exif()
    exif[0x0112] = 6
    images['turned.jpg'] = encoded(small, 'JPEG', exif=exif)
    images['two_pages.tif'] = encoded(small, 'TIFF', save_all=True, append_images=[noise(5, 5)])
    images.update({f'small.{suffix}': encoded(small, kind) for suffix, kind in (
        ('bmp', 'BMP'), ('ppm', 'PPM'), ('tif', 'TIFF'), ('webp', 'WEBP'), ('JPG', 'JPEG'))})
    images['jpeg_inside.png'] = encoded(small, 'JPEG')
    images['png_inside.jpg'] = encoded(small)
    images.update({name: encoded(small) for name in (
        'ümläut 漢字 🎨.png', 'with space.png', '[brackets]*?.png', "quote'\".png", '-dash.png',
        'new\nline.png', LONG, 'a.b.c.png')})
    return images


def bad_images():
    """Content of files that no way in takes, by name."""
    png, jpg = encoded(noise(20, 20)), encoded(noise(40, 40), 'JPEG')
    bad = {
        'empty.png': b'', 'one_byte.png': b'\x89', 'text.png': b'no image', 'zeros.png': bytes(500),
        'signature.png': png[:8], 'header.png': png[:33], 'half.png': png[:len(png) // 2],
        'signature.jpg': jpg[:4], 'tables.jpg': jpg[:200], 'html.jpg': b'<html>404</html>',
        'half.bmp': encoded(noise(9, 9), 'BMP')[:80],
    }
    # A header that promises more pixels than any memory holds.
    huge = bytearray(png)
    huge[16:24] = b'\x7f\xff\xff\xff' * 2
    bad['huge_header.png'] = bytes(huge)
    return bad


GOOD, BAD = good_images(), bad_images()
# What is no regular file, made by make().
STRANGE = ('folder.png', 'loop.png', 'dangling.png', 'pipe.png')


def make(path, content=None):
    """Writes a file, or one of STRANGE."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    elif path.name == 'folder.png':
        path.mkdir()
    elif path.name == 'loop.png':
        path.symlink_to('loop.png')
    elif path.name == 'dangling.png':
        path.symlink_to('nothing.png')
    else:
        os.mkfifo(path)
    return path


def ids(name):
    return repr(name[:20])


# ------------------------------------------------------------------------------- the inferencer
@pytest.mark.parametrize('name', GOOD, ids=ids)
def test_inferencer_takes(name, inferencer, tmp_path):
    path = make(tmp_path / name, GOOD[name])
    result = inferencer(path, picture(16, 16))
    width, height = load_image(path).size
    assert result.shape == (height, width, 3)
    assert inferencer(picture(16, 16), path).shape == (16, 16, 3)


@pytest.mark.parametrize('name', [*BAD, *STRANGE])
def test_inferencer_refuses(name, inferencer, tmp_path):
    path = make(tmp_path / name, BAD.get(name))
    for images in ((path, picture(16, 16)), (picture(16, 16), path)):
        sentence = sentence_of(inferencer, *images)
        assert str(path) in sentence and 'is not a readable image' in sentence


@pytest.mark.parametrize('image', [
    np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 2), np.uint8), np.zeros((5, 5, 5), np.uint8),
    np.zeros((5, 5, 3), np.float32), np.zeros((5, 5, 3), np.int64), np.zeros(5, np.uint8),
    np.zeros((1, 0, 5, 3), np.uint8), Image.new('F', (3, 3)), Image.new('RGB', (0, 3)), 'none.png',
    '', 'a\0b.png', 'x' * 300, [None], 5, None, b'bytes'], ids=lambda image: repr(image)[:40])
def test_inferencer_refuses_objects(image, inferencer):
    sentence = sentence_of(inferencer, image, picture(8, 8))
    assert sentence is not None


@pytest.mark.parametrize('seed', range(40))
def test_mutated_files(seed, inferencer, tmp_path):
    """Random bytes of an image changed, removed or added: a picture or a sentence."""
    rng = np.random.RandomState(seed)
    kind, suffix = (('PNG', 'png'), ('JPEG', 'jpg'), ('WEBP', 'webp'), ('TIFF', 'tif'))[seed % 4]
    content = bytearray(encoded(noise(10, 12, seed), kind))
    for _ in range(rng.randint(1, 4)):
        place = rng.randint(len(content))
        change = rng.randint(3)
        if change == 0:
            content[place] = rng.randint(256)
        elif change == 1:
            del content[place:place + rng.randint(1, 30)]
        else:
            content[place:place] = rng.bytes(rng.randint(1, 30))
    path = make(tmp_path / f'mutated.{suffix}', bytes(content))
    sentence = sentence_of(inferencer, path, picture(8, 8))
    assert sentence is None or str(path) in sentence


@pytest.mark.skipif(os.name != 'posix', reason='permissions of POSIX')
def test_file_without_permission(inferencer, tmp_path, monkeypatch):
    path = make(tmp_path / 'secret.png', GOOD['16x16.png'])
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything: pretend
        def refuse(path, *args, **kwargs):
            raise PermissionError(13, 'Permission denied', str(path))
        monkeypatch.setattr(reader, 'open', refuse, raising=False)
    sentence = sentence_of(inferencer, path, picture(8, 8))
    assert str(path) in sentence and 'Permission denied' in sentence


# ---------------------------------------------------------------------------------- the dataset
@pytest.fixture(scope='module')
def loaders():
    """Configs of the datasets, by phase."""
    folder = REPOSITORY / 'configs' / 'egscit'
    cfg = Config.fromfile(folder / 'egscit_gta2bdd.py')
    test = Config.fromfile(folder / '_base_' / 'datasets' / 'exemplar.py')
    return dict(train=cfg.train_dataloader.dataset, test=test.test_dataloader.dataset)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """MMEngine's datasets collect garbage, which takes a second in a large process."""
    monkeypatch.setattr(gc, 'collect', lambda *args: 0)


def samples(loaders, phase, root, name, content):
    """Reads all samples of a set with a good image of each domain, and the file of a name."""
    for domain in 'AB':
        make(root / f'{phase}{domain}' / '0.png', GOOD['16x16.png'])
    make(root / f'{phase}A' / name, content)
    dataset = DATASETS.build(dict(loaders[phase], data_root=str(root)))
    return [dataset[index] for index in range(len(dataset))]


@pytest.mark.parametrize('phase', ['train', 'test'])
@pytest.mark.parametrize('name', [*GOOD], ids=ids)
def test_dataset_takes(name, phase, loaders, tmp_path):
    images = samples(loaders, phase, tmp_path, name, GOOD[name])
    assert len(images) == 2
    for image in images:
        assert image['inputs']['img_A'].shape[0] == image['inputs']['img_B'].shape[0] == 3


@pytest.mark.parametrize('phase', ['train', 'test'])
@pytest.mark.parametrize('name', [*BAD, 'loop.png'])
def test_dataset_refuses(name, phase, loaders, tmp_path):
    sentence = sentence_of(samples, loaders, phase, tmp_path, name, BAD.get(name))
    assert str(tmp_path / f'{phase}A' / name) in sentence


def test_dataset_leaves_out_folders_named_as_images(loaders, tmp_path):
    assert len(samples(loaders, 'test', tmp_path, 'folder.png', None)) == 1


# -------------------------------------------------------------------------------- the scripts
def script(path):
    spec = importlib.util.spec_from_file_location(f'{Path(path).stem}_bad_input', REPOSITORY / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def translate(checkpoints, inferencer):
    """tools/translate.py with a model that is loaded once."""
    module = script('tools/translate.py')

    def run(*args):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('egscit_mm.apis.translate.EGSCITInferencer',
                          lambda *args, **kwargs: inferencer)
            patch.setattr(sys, 'argv', [
                'translate.py', str(checkpoints / 'egscit_quickstart.py'),
                str(checkpoints / 'egscit.pth'), *map(str, args)])
            return module.main()

    return run


@pytest.fixture(scope='module')
def convert():
    """tools/dataset_converters/folders.py."""
    module = script('tools/dataset_converters/folders.py')

    def run(*args):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, 'argv', ['folders.py', *map(str, args)])
            return module.main()

    return run


def test_translate_takes_all_formats(translate, tmp_path):
    for name, content in GOOD.items():
        make(tmp_path / 'in' / name, content)
    exemplar = make(tmp_path / 'exemplar.png', GOOD['16x16.png'])
    assert translate('--content', tmp_path / 'in', '--exemplar', exemplar, '--out',
                     tmp_path / 'out') == 0
    assert {*os.listdir(tmp_path / 'out')} == {*GOOD, 'translation.json', '.translation.lock'}
    for name in GOOD:
        with Image.open(tmp_path / 'out' / name) as image:
            assert image.size == load_image(tmp_path / 'in' / name).size


@pytest.mark.parametrize('name', [name for name in GOOD if not name[0].isalnum() or ' ' in name
                                  or not name.isascii() or name == LONG], ids=ids)
def test_translate_takes_one_file(name, translate, tmp_path):
    path = make(tmp_path / 'in' / name, GOOD[name])
    assert translate('--content', path, '--exemplar', path, '--out', tmp_path / 'out') == 0
    assert (tmp_path / 'out' / name).is_file()
    assert_no_rests(tmp_path)


@pytest.mark.parametrize('name', [*BAD, *STRANGE])
def test_translate_lists_what_it_cannot_read(name, translate, tmp_path, capsys):
    make(tmp_path / 'in' / name, BAD.get(name))
    make(tmp_path / 'in' / 'good.png', GOOD['16x16.png'])
    exemplar = make(tmp_path / 'exemplar.png', GOOD['16x16.png'])
    arguments = ('--content', tmp_path / 'in', '--exemplar', exemplar, '--out', tmp_path / 'out')
    is_folder = name == 'folder.png'  # searched as any other
    assert translate(*arguments) == (0 if is_folder else 1)
    errors = capsys.readouterr().err
    assert is_folder or f'1 not translated:\n{tmp_path / "in" / name} is not a' in errors
    assert {*files_below(tmp_path / 'out')} == {
        'good.png', 'translation.json', '.translation.lock'}


@pytest.mark.parametrize('name', [*BAD, 'pipe.png', 'dangling.png'])
def test_translate_refuses_an_exemplar(name, translate, tmp_path, capsys):
    content = make(tmp_path / 'good.png', GOOD['16x16.png'])
    exemplar = make(tmp_path / 'in' / name, BAD.get(name))
    results = []
    sentence = sentence_of(lambda: results.append(translate(
        '--content', content, '--exemplar', exemplar, '--out', tmp_path / 'out')))
    assert sentence is not None or results == [1]
    assert str(exemplar) in (sentence or capsys.readouterr().err)
    assert not (tmp_path / 'out' / 'good.png').exists()
    assert_no_rests(tmp_path)


def test_converter_takes_all_formats(convert, tmp_path):
    names = [name for name in GOOD if name not in ('small.JPG', 'small.bmp', 'small.ppm',
                                                   'small.tif')]  # would become the same file
    for name in names:
        make(tmp_path / 'in' / name, GOOD[name])
    out = tmp_path / 'out'
    assert convert('--domain', 'A', tmp_path / 'in', '--size', 8, 8, '--workers', 0, '--out',
                   out) == 0
    converted = [*out.glob('t*A/*.png')]
    assert len(converted) == len(names)
    for path in converted:
        with Image.open(path) as image:
            assert image.size == (8, 8) and image.mode == 'RGB'


@pytest.mark.parametrize('name', [*BAD, *STRANGE])
def test_converter_names_what_it_cannot_use(name, convert, tmp_path, capsys):
    for index in range(9):
        make(tmp_path / 'in' / f'{index}.png', encoded(noise(9, 9, index)))
    make(tmp_path / 'in' / name, BAD.get(name))
    status = convert('--domain', 'A', tmp_path / 'in', '--size', 8, 8, '--workers', 0, '--out',
                     tmp_path / 'out')
    is_folder = name == 'folder.png'
    assert status == (0 if is_folder else 1)
    assert is_folder or name in capsys.readouterr().err
    assert len([*(tmp_path / 'out').glob('t*A/*.png')]) == 9
    assert_no_rests(tmp_path)
