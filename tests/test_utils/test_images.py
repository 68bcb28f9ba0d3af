# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""A file is the same picture in training, inference, metrics and converters."""
import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from mmagic.registry import DATASETS
from mmengine.config import Config
from PIL import Image, PngImagePlugin
from tiny_data import picture

from egscit_mm.apis.inferencer import load_image
from egscit_mm.datasets import LoadImage
from egscit_mm.utils.errors import BadInputError
from egscit_mm.utils.images import decode_rgb, read_image

REPOSITORY = Path(__file__).parents[2]
RGB = picture(12, 10)
ALPHA = picture(12, 10, seed=1)[..., 0]


def encoded(image, kind='PNG', **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def on_white(rgb, alpha):
    alpha = alpha[..., None] / 255
    return rgb * alpha + 255 * (1 - alpha)


def grey(values):
    return np.repeat(np.asarray(values)[..., None], 3, axis=2)


def files():
    """Content by file name, and the picture that it shows with the tolerance of its format."""
    image = Image.fromarray(RGB)
    rgba = Image.fromarray(np.dstack([RGB, ALPHA]))
    grey_alpha = Image.merge('LA', (Image.fromarray(RGB[..., 0]), Image.fromarray(ALPHA)))
    palette = image.quantize(16)
    shown = np.array(palette.convert('RGB'))
    hidden = np.where(np.array(palette)[..., None] == 3, 255, shown)
    half = [255] * 16
    half[3] = 128
    faded = np.where(np.array(palette)[..., None] == 3,
                     on_white(shown, np.full((12, 10), 128)), shown)
    wide = np.arange(0, 65536, 550, dtype=np.uint16)[:120].reshape(12, 10)
    dark = np.round(wide / 257).astype(np.uint16)
    smooth = Image.new('RGB', (10, 12), (200, 30, 90))
    flat = np.array(smooth)
    text = PngImagePlugin.PngInfo()
    text.add_text('Title', 'a picture')
    found = {
        'plain.png': (encoded(image), RGB, 0),
        'text.png': (encoded(image, pnginfo=text), RGB, 0),
        'rgba.png': (encoded(rgba), on_white(RGB, ALPHA), 1),
        'grey_alpha.png': (encoded(grey_alpha), on_white(grey(RGB[..., 0]), ALPHA), 1),
        'palette.png': (encoded(palette), shown, 0),
        'transparent_palette.png': (encoded(palette, transparency=3), hidden, 0),
        'faded_palette.png': (encoded(palette, transparency=bytes(half)), faded, 1),
        'transparent_colour.png': (
            encoded(image, transparency=tuple(RGB[2, 3].tolist())),
            np.where((RGB == RGB[2, 3]).all(-1, keepdims=True), 255, RGB), 0),
        'transparent_grey.png': (
            encoded(Image.fromarray(RGB[..., 0]), transparency=int(RGB[2, 3, 0])),
            grey(np.where(RGB[..., 0] == RGB[2, 3, 0], 255, RGB[..., 0])), 0),
        'grey.png': (encoded(Image.fromarray(RGB[..., 0])), grey(RGB[..., 0]), 0),
        'bit.png': (encoded(image.convert('1')), grey(np.array(image.convert('1')) * 255), 0),
        '16bit.png': (encoded(Image.fromarray(wide)), grey(np.round(wide / 257)), 0),
        'dark16bit.png': (encoded(Image.fromarray(dark)), grey(np.round(dark / 257)), 0),
        '16bit.ppm': (encoded(Image.fromarray(wide), 'PPM'), grey(np.round(wide / 257)), 0),
        'dark16bit.ppm': (b'P5 10 12 65535\n' + dark.astype('>u2').tobytes(),
                          grey(np.round(dark / 257)), 0),
        '32bit.tif': (encoded(Image.fromarray(RGB[..., 0]).convert('I'), 'TIFF'),
                      grey(RGB[..., 0]), 0),
        '16bit.tif': (encoded(Image.fromarray(wide), 'TIFF'), grey(np.round(wide / 257)), 0),
        'rgba.tif': (encoded(rgba, 'TIFF'), on_white(RGB, ALPHA), 1),
        'rgba.webp': (encoded(rgba, 'WEBP', lossless=True, exact=True), on_white(RGB, ALPHA), 1),
        'plain.webp': (encoded(image, 'WEBP', lossless=True), RGB, 0),
        'plain.bmp': (encoded(image, 'BMP'), RGB, 0),
        'plain.ppm': (encoded(image, 'PPM'), RGB, 0),
        'upper.PNG': (encoded(image), RGB, 0),
        'flat.jpg': (encoded(smooth, 'JPEG', quality=100), flat, 3),
        'jpeg_inside.png': (encoded(smooth, 'JPEG', quality=100), flat, 3),
        'cmyk.jpg': (encoded(smooth.convert('CMYK'), 'JPEG', quality=100), flat, 6),
        'cmyk.tif': (encoded(smooth.convert('CMYK'), 'TIFF'), flat, 2),
        'grey.jpg': (encoded(smooth.convert('L'), 'JPEG'), grey(np.array(smooth.convert('L'))), 3),
        'animated.webp': (encoded(image, 'WEBP', lossless=True, save_all=True,
                                  append_images=[Image.fromarray(picture(12, 10, 5))]), RGB, 0),
        'animated.png': (encoded(image, save_all=True,
                                 append_images=[Image.fromarray(picture(12, 10, 5))]), RGB, 0),
        'pages.tif': (encoded(image, 'TIFF', save_all=True,
                              append_images=[Image.fromarray(picture(5, 5))]), RGB, 0),
        'profile.png': (encoded(image, icc_profile=b'not a profile at all' * 10), RGB, 0),
    }
    turns = {1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
             5: lambda x: x.swapaxes(0, 1), 6: lambda x: np.rot90(x, -1),
             7: lambda x: np.rot90(x.swapaxes(0, 1), 2), 8: np.rot90}
    for number, turn in turns.items():
        found[f'turned{number}.png'] = (encoded(image, exif=turned(number)), turn(RGB), 0)
        content = encoded(image, 'JPEG', exif=turned(number))
        upright = np.array(Image.open(io.BytesIO(content)))
        found[f'turned{number}.jpg'] = (content, turn(upright), 0)
    found['turned6.tif'] = (encoded(image, 'TIFF', exif=turned(6)), turns[6](RGB), 0)
    found['turned6.webp'] = (encoded(image, 'WEBP', lossless=True, exif=turned(6)), turns[6](RGB),
                             0)
    return found


FILES = files()
REFUSED = {
    'float.tif': (encoded(Image.fromarray(RGB[..., 0].astype(np.float32)), 'TIFF'), 'floating'),
    'long.tif': (encoded(Image.fromarray(np.full((3, 3), 70000, np.int32)), 'TIFF'), '70000'),
    'gif.png': (encoded(Image.fromarray(RGB), 'GIF'), 'the file is none of BMP'),
    'cut.jpg': (encoded(Image.fromarray(picture(60, 60)), 'JPEG')[:-900], 'truncated'),
    'cut.png': (encoded(Image.fromarray(picture(60, 60)))[:-900], 'truncated'),
    'empty.png': (b'', 'empty'),
}


@pytest.fixture(scope='module')
def folders_converter():
    spec = importlib.util.spec_from_file_location(
        'folders_of_images', REPOSITORY / 'tools' / 'dataset_converters' / 'folders.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, 'argv', ['folders.py', *map(str, args)])
            return module.main()

    return run


def trained_on(root, name, content):
    """What the base config's pipeline makes of a file, RGB."""
    for domain in 'AB':
        (root / f'test{domain}').mkdir(parents=True)
    (root / 'testA' / name).write_bytes(content)
    (root / 'testB' / '0.png').write_bytes(FILES['plain.png'][0])
    cfg = Config.fromfile(REPOSITORY / 'configs' / 'egscit' / '_base_' / 'datasets' / 'exemplar.py')
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, data_root=str(root)))
    sample = dataset[0]
    assert sample['data_samples'].img_A_channel_order == 'bgr'
    return sample['inputs']['img_A'].numpy().transpose(1, 2, 0)[..., ::-1]


@pytest.mark.parametrize('name', FILES)
def test_one_picture_everywhere(name, folders_converter, tmp_path):
    content, wanted, tolerance = FILES[name]
    trained = trained_on(tmp_path, name, content)
    assert trained.dtype == np.uint8 and trained.shape == wanted.shape
    assert np.abs(trained.astype(float) - wanted).max() <= tolerance
    path = tmp_path / 'testA' / name
    np.testing.assert_array_equal(np.array(load_image(path)), trained)
    np.testing.assert_array_equal(read_image(path), trained)
    # A second image: a converter needs a training and a test set.
    (tmp_path / 'testA' / 'other.png').write_bytes(FILES['plain.png'][0])
    assert folders_converter('--domain', 'A', tmp_path / 'testA', '--size', *trained.shape[:2],
                             '--workers', 0, '--out', tmp_path / 'out') == 0
    converted, = tmp_path.glob(f'out/*/{path.stem}.png')
    np.testing.assert_array_equal(np.array(Image.open(converted)), trained)


@pytest.mark.parametrize('name', REFUSED)
def test_refused_everywhere(name, tmp_path):
    content, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason) as error:
        trained_on(tmp_path, name, content)
    path = tmp_path / 'testA' / name
    assert str(path) in str(error.value)
    for read in (load_image, read_image):
        with pytest.raises(BadInputError, match=reason) as error:
            read(path)
        assert str(path) in str(error.value)


def test_damaged_exif_turns_nothing():
    content = encoded(Image.fromarray(RGB), exif=b'Exif\0\0MM\0*\xff\xff\xff\xff')
    np.testing.assert_array_equal(decode_rgb(content), RGB)


def test_transform(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(FILES['grey.png'][0])
    sample = LoadImage('img_A', color_type='grayscale')(dict(img_A_path=str(path)))
    np.testing.assert_array_equal(sample['img_A'], RGB[..., :1])
    assert sample['img_A_color_type'] == 'grayscale'
    assert sample['ori_img_A_shape'] == (12, 10, 1)
    with pytest.raises(ValueError, match="LoadImage: channel_order must be one of .* got 'gbr'"):
        LoadImage('img_A', channel_order='gbr')
