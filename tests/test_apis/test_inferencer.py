# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of images by the inferencer."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from inference_fixtures import folder
from mmengine.config import Config
from PIL import Image
from tiny_data import picture

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis import inferencer as inferencer_module
from egscit_mm.apis.inferencer import load_image
from egscit_mm.apis.model import model_name
from egscit_mm.models import EGSCIT
from egscit_mm.models.egscit.tiling import TiledTranslation
from egscit_mm.utils.cpu import computes_in_amx
from egscit_mm.utils.errors import UserError

__all__ = ['folder']


def test_same_result_alone_and_in_a_batch(inferencer):
    contents = [picture(16, 20, seed) for seed in range(3)] + [picture(9, 31)]
    exemplars = [picture(16, 16, seed) for seed in range(3, 7)]
    together = inferencer(contents, exemplars)
    alone = [inferencer([c], [e])[0] for c, e in zip(contents, exemplars)]
    for one, other, content in zip(together, alone, contents):
        assert one.shape == content.shape and one.dtype == np.uint8
        # Rounding to integers may differ by one where batched convolutions sum in another order.
        assert np.abs(one.astype(int) - other).max() <= 1
    assert not np.array_equal(together[0], together[1])


def test_one_exemplar_for_all(inferencer):
    contents, exemplar = [picture(16, 16, 1), picture(16, 16, 2)], picture(20, 24)
    results = inferencer(contents, [exemplar])
    for content, result in zip(contents, results):
        assert np.abs(inferencer([content], [exemplar])[0].astype(int) - result).max() <= 1


def test_exemplar_and_direction_matter(inferencer):
    content = [picture(16, 16)]
    results = [
        inferencer(content, [picture(16, 16, 1)])[0],
        inferencer(content, [picture(16, 16, 2)])[0],
        inferencer(content, [picture(16, 16, 1)], target_domain='A')[0]
    ]
    assert not np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_equals_the_model(inferencer):
    content, exemplar = picture(16, 16, 1), picture(16, 16, 2)

    def tensor(image):
        return torch.tensor(image).permute(2, 0, 1)[None].float() / 127.5 - 1

    with torch.no_grad():
        wanted = inferencer.model(
            tensor(content), test_mode=True, target_domain='B', exemplar=tensor(exemplar))
    wanted = wanted['target'][0].clamp(-1, 1).permute(1, 2, 0)
    wanted = ((wanted + 1) * 127.5).round().byte().numpy()
    assert np.array_equal(inferencer([content], [exemplar])[0], wanted)


def test_needs_neither_stage1_nor_vgg(inferencer):
    assert inferencer.model.perceptual_loss is None and inferencer.model.discriminators is None


def test_errors(inferencer, checkpoints, tmp_path):
    with pytest.raises(ValueError, match='got 2 exemplars for 3 contents'):
        inferencer([picture(8, 8)] * 3, [picture(8, 8)] * 2)
    with pytest.raises(ValueError, match='must be uint8'):
        inferencer([picture(8, 8).astype(float)], [picture(8, 8)])
    with pytest.raises(ValueError, match="pairing must be one of"):
        inferencer(picture(8, 8), picture(8, 8), pairing='all')
    with pytest.raises(ValueError, match="output must be 'array' or 'pil'"):
        inferencer(picture(8, 8), picture(8, 8), output='jpg')
    for path, why in ((tmp_path, 'a folder'), (tmp_path / 'none.png', 'does not exist')):
        with pytest.raises(ValueError, match=f'is not a readable image: it .*{why.split()[-1]}'):
            inferencer(path, picture(8, 8))
    with pytest.raises(ValueError, match='floating-point pixels'):
        inferencer(Image.new('F', (8, 8)), picture(8, 8))
    with pytest.raises(ValueError, match="Unknown domain 'C'"):
        inferencer([picture(8, 8)], [picture(8, 8)], target_domain='C')
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(ValueError, match='a.png is not a readable image'):
        inferencer([tmp_path / 'a.png'], [picture(8, 8)])
    config, checkpoint = checkpoints / 'egscit_quickstart.py', str(checkpoints / 'egscit.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        EGSCITInferencer(config, 'none.pth')
    (tmp_path / 'cut.pth').write_bytes((checkpoints / 'egscit.pth').read_bytes()[:999])
    with pytest.raises(RuntimeError, match=f'^{tmp_path}/cut.pth .999 bytes. cannot be read'):
        EGSCITInferencer(config, tmp_path / 'cut.pth')
    with pytest.raises(ValueError, match='needs a config whose model takes exemplars'):
        EGSCITInferencer(checkpoints / 'vaegan_quickstart.py', checkpoint)
    cyclegan = Path(__file__).parents[2] / 'configs/egscit/cyclegan_mnist_single_reduced.py'
    with pytest.raises(ValueError, match="'CycleGAN': MMagic's TranslationInferencer"):
        EGSCITInferencer(cyclegan, checkpoint)
    with pytest.raises(ValueError, match='not one of this EGSCIT'):
        EGSCITInferencer(config, str(checkpoints / 'vaegan.pth'))


def test_a_model_of_grey_images_is_refused(checkpoints, monkeypatch):
    config, checkpoint = checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth'
    monkeypatch.setattr(inferencer_module, 'load_model',
                        lambda *args: SimpleNamespace(in_channels=1))
    with pytest.raises(ValueError, match='read as RGB, and this model takes 1 channels'):
        EGSCITInferencer(config, str(checkpoint))


def test_load_image_modes(tmp_path):
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    rgba = Image.new('RGBA', (5, 7), (10, 20, 30, 128))
    upright = Image.fromarray(picture(6, 9))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    grey.save(tmp_path / 'grey.png')
    rgba.save(tmp_path / 'rgba.png')
    upright.save(tmp_path / 'turned.png', exif=exif)
    assert np.array_equal(np.array(load_image(tmp_path / 'grey.png'))[..., 1], np.array(grey))
    # Half transparent, on white: 255 + (10 - 255) * 128 / 255.
    assert load_image(tmp_path / 'rgba.png').getpixel((0, 0)) == (132, 137, 142)
    assert load_image(tmp_path / 'turned.png').size == (6, 9)
    sixteen = np.array([[0, 257 * 100], [257 * 200, 65535]], np.uint16)
    Image.fromarray(sixteen).save(tmp_path / 'sixteen.png')
    assert np.array_equal(
        np.array(load_image(tmp_path / 'sixteen.png'))[..., 0], [[0, 100], [200, 255]])
    for mode in ('I', 'L'):  # values of 8 bits in a mode that has more
        assert np.array_equal(np.array(load_image(grey.convert(mode)))[..., 0], np.array(grey))
    Image.fromarray(picture(6, 9)).quantize(8).save(tmp_path / 'palette.png')
    Image.new('CMYK', (3, 4)).save(tmp_path / 'cmyk.jpg')
    for name, size in (('palette.png', (9, 6)), ('cmyk.jpg', (3, 4))):
        image = load_image(tmp_path / name)
        assert (image.mode, image.size) == ('RGB', size)


@pytest.mark.parametrize('height, width', [(1, 1), (1, 40), (3, 2), (17, 15)])
def test_every_size(inferencer, height, width):
    content = picture(height, width)
    assert inferencer(content, picture(5, 1)).shape == content.shape


def test_alone_or_in_a_list(inferencer, tmp_path):
    content, exemplar = picture(16, 16, 1), picture(16, 16, 2)
    wanted = inferencer([content], [exemplar])[0]
    Image.fromarray(content).save(tmp_path / 'content.png')
    for same in (content, Image.fromarray(content), tmp_path / 'content.png',
                 str(tmp_path / 'content.png'), np.dstack([content, np.full((16, 16), 255)]).astype(
                     np.uint8)):
        assert np.array_equal(inferencer(same, exemplar), wanted)
    stacked = inferencer(np.stack([content, exemplar]), exemplar[None])
    assert len(stacked) == 2 and np.abs(stacked[0].astype(int) - wanted).max() <= 1
    grey = inferencer(content[..., 0], exemplar)
    assert np.array_equal(grey, inferencer(np.dstack([content[..., 0]] * 3), exemplar))
    pil = inferencer(content, exemplar, output='pil')
    assert pil.mode == 'RGB' and np.array_equal(np.array(pil), wanted)


def test_matrix(inferencer):
    contents = [picture(16, 16, 1), picture(9, 20, 2)]
    exemplars = [picture(16, 16, 3), picture(24, 16, 4), picture(16, 16, 5)]
    matrix = inferencer(contents, exemplars, pairing='matrix')
    assert [len(row) for row in matrix] == [3, 3]
    for row, content in zip(matrix, contents):
        for image, exemplar in zip(row, exemplars):
            wanted = inferencer(content, exemplar)
            assert image.shape == content.shape
            assert np.abs(image.astype(int) - wanted).max() <= 1


def test_masks(inferencer):
    contents = [picture(9, 20, 1), picture(16, 16, 2)]
    results, masks = inferencer(contents, picture(16, 16), return_masks=True)
    for result, mask, content in zip(results, masks, contents):
        assert mask.shape == content.shape[:2] and mask.dtype == np.uint8
        assert result.shape == content.shape and mask.std() > 0
        one, alone = inferencer(content, picture(16, 16), return_masks=True)
        assert np.abs(one.astype(int) - result).max() <= 1
        assert np.abs(alone.astype(int) - mask).max() <= 1
    # By hand: (mean of sigmoid(F)) as grey, on an image that needs no padding.
    image = torch.tensor(contents[1]).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        features = inferencer.model.inference_generators.feature_networks['A'](image)
    wanted = (features.sigmoid().mean((0, 1)) * 255).round().numpy()
    wanted = wanted.repeat(2, 0).repeat(2, 1)  # the network halves the size
    assert np.abs(masks[1] - wanted).max() <= 1
    # The mask of the other direction is made by the other domain's feature network.
    assert not np.array_equal(
        inferencer(contents[1], picture(16, 16), 'A', return_masks=True)[1], masks[1])


def test_no_masks_without_a_mask(checkpoints, tmp_path):
    cfg = Config.fromfile(checkpoints / 'egscit_quickstart.py')
    cfg.model.generator.eta = 1
    model = EGSCITInferencer(cfg, checkpoints / 'egscit.pth')
    with pytest.raises(ValueError, match='has no feature masks'):
        model(picture(8, 8), picture(8, 8), return_masks=True)


def test_the_type_of_a_model_may_be_its_class(checkpoints, inferencer, tmp_path):
    """As in MMEngine's new-style configs."""
    text = (checkpoints / 'egscit_quickstart.py').read_text()
    (tmp_path / 'new_style.py').write_text(
        'from egscit_mm.models import EGSCIT\n' + text.replace("type='EGSCIT'", 'type=EGSCIT'))
    wanted = inferencer(picture(8, 8), picture(9, 9))
    new_style = Config.fromfile(tmp_path / 'new_style.py')
    assert new_style.model.type is EGSCIT
    for cfg in (new_style, Config.fromstring(new_style.pretty_text, '.py')):
        assert model_name(cfg) == 'EGSCIT'
        result = EGSCITInferencer(cfg, checkpoints / 'egscit.pth')(picture(8, 8), picture(9, 9))
        assert np.array_equal(result, wanted)


def test_checkpoint_of_the_config(checkpoints, inferencer):
    cfg = Config.fromfile(checkpoints / 'egscit_quickstart.py')
    with pytest.raises(ValueError, match='egscit_quickstart.py: EGSCIT needs a checkpoint'):
        EGSCITInferencer(cfg)
    cfg.load_from = str(checkpoints / 'egscit.pth')
    images = picture(16, 16, 1), picture(16, 16, 2)
    assert np.array_equal(EGSCITInferencer(cfg)(*images), inferencer(*images))


def test_mixed_precision(checkpoints, inferencer):
    half = EGSCITInferencer(
        checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', amp=True)
    images = picture(16, 16, 1), picture(16, 16, 2)
    difference = np.abs(half(*images).astype(int) - inferencer(*images))
    assert 0 < difference.max() and difference.mean() < 3


def test_compiled(checkpoints, inferencer, monkeypatch):
    compiled = []

    def compile(function):
        compiled.append(function)
        return function

    monkeypatch.setattr('torch.compile', compile)
    model = EGSCITInferencer(
        checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', compile=True)
    assert compiled == [model.model.translation]
    images = picture(16, 16, 1), picture(16, 16, 2)
    assert np.array_equal(model(*images), inferencer(*images))


@pytest.mark.parametrize('batch_size', [0, -1, 1.5, None, '4'])
def test_bad_batch_sizes(inferencer, batch_size):
    with pytest.raises(ValueError, match='EGSCITInferencer: batch_size must be an integer of at '
                       f'least 1, got {batch_size!r}'):
        inferencer(picture(16, 16), picture(16, 16), batch_size=batch_size)


@pytest.mark.parametrize('device', ['cuda:99', 'gpu', 'meta', 'cuda:-3', 7.5])
def test_bad_devices(checkpoints, device):
    config, checkpoint = checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth'
    with pytest.raises(ValueError, match=f"device '?{device}"):
        EGSCITInferencer(config, checkpoint, device=device)


def test_cuda_without_cuda(checkpoints):
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    with pytest.raises(ValueError, match="device 'cuda' cannot be used here: .* have cpu"):
        EGSCITInferencer(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', 'cuda')


def test_no_exemplars(inferencer):
    for pairing in ('each', 'matrix'):
        with pytest.raises(ValueError, match='at least one exemplar'):
            inferencer([picture(16, 16)], [], pairing=pairing)


# ------------------------------------------------------------------------------------------ tiles
@pytest.fixture(scope='module')
def in_tiles(checkpoints):
    model = EGSCITInferencer(
        checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', tile=64)
    model.tile = 24  # smaller than allowed, for small images
    return model


def test_tiles_give_the_same(inferencer, in_tiles, monkeypatch):
    """Alone and in a list, contents and exemplars that are small and large; and the masks."""
    contents = [picture(50, 61, 1), picture(16, 16, 2), picture(20, 70, 3)]
    exemplars = [picture(16, 16, 4), picture(40, 33, 5), picture(40, 40, 6)]
    tiled = []
    translate = TiledTranslation.translate
    monkeypatch.setattr(TiledTranslation, 'translate', lambda self, content, *args: (
        tiled.append(tuple(content.shape[2:])), translate(self, content, *args))[1])
    results, masks = in_tiles(contents, exemplars, return_masks=True)
    assert tiled == [(50, 61), (16, 16), (20, 70)]
    wanted, wanted_masks = inferencer(contents, exemplars, return_masks=True)
    for found, whole in ((results, wanted), (masks, wanted_masks)):
        for one, other in zip(found, whole):
            assert one.shape == other.shape and one.dtype == np.uint8
            assert np.abs(one.astype(int) - other).max() <= 1
    tiled.clear()
    in_tiles(picture(24, 24), picture(16, 16))
    assert not tiled  # it fits into one


def test_tiles_where_none_are_asked_for(checkpoints, inferencer, monkeypatch):
    """Large images are cut by themselves, unless that is switched off."""
    sides = []
    monkeypatch.setattr(inferencer_module, 'WHOLE_PIXELS', 30 * 30)
    whole = EGSCITInferencer(
        checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', tile=0)
    monkeypatch.setattr(inferencer_module, 'TiledTranslation', lambda generators, side, *args,
                        **kwargs: (sides.append(side),
                                   TiledTranslation(generators, side, *args, **kwargs))[1])
    whole(picture(40, 40), picture(16, 16))
    inferencer(picture(30, 30), picture(16, 16))
    assert not sides
    inferencer(picture(31, 30), picture(16, 16))
    inferencer(picture(8, 8), picture(16, 90))
    assert sides == [512, 512]


def test_a_batch_is_no_larger_than_an_image_may_be(checkpoints, inferencer, monkeypatch):
    sizes = []
    monkeypatch.setattr(inferencer_module, 'WHOLE_PIXELS', 3 * 16 * 16)
    translation = inferencer.model.translation_at_any_size
    monkeypatch.setattr(inferencer.model, 'translation_at_any_size', lambda image, *args: (
        sizes.append(len(image)), translation(image, *args))[1])
    inferencer([picture(16, 16)] * 7, picture(16, 16))
    assert sizes == [3, 3, 1]


def test_a_style_is_encoded_once_for_a_batch(inferencer, monkeypatch):
    seen = []
    generators = inferencer.model.inference_generators
    encode_style = generators.encode_style
    monkeypatch.setattr(generators, 'encode_style', lambda exemplar, *args: (
        seen.append(len(exemplar)), encode_style(exemplar, *args))[1])
    contents = [picture(16, 16, seed) for seed in range(3)]
    exemplar = picture(16, 16, 9)
    results = inferencer(contents, exemplar)
    inferencer(contents, [exemplar] * 3)
    apart = inferencer(contents, [exemplar.copy() for _ in range(3)])
    assert seen == [1, 1, 3]
    assert np.abs(np.array(results).astype(int) - apart).max() <= 1


@pytest.mark.parametrize('tile', [-1, 1.5, True, '64'])
def test_bad_tiles(checkpoints, tile):
    with pytest.raises(ValueError, match='EGSCITInferencer: tile must be an integer of at least 0'):
        EGSCITInferencer(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth',
                         tile=tile)


@pytest.mark.parametrize('tile', [1, 63])
def test_tiles_that_are_too_small(checkpoints, tile):
    with pytest.raises(UserError, match=f'tile must be 0, .*or at least 64 .* got {tile}:'):
        EGSCITInferencer(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth',
                         tile=tile)


def test_munit_cannot_work_in_tiles(folder, monkeypatch):
    """It refuses them, and takes large images whole where none are asked for."""
    files = folder / 'munit.py', folder / 'munit.pth'
    with pytest.raises(ValueError, match='MUNIT cannot work in tiles, for its networks normalise'):
        EGSCITInferencer(*files, tile=64)
    monkeypatch.setattr(inferencer_module, 'WHOLE_PIXELS', 256)
    assert EGSCITInferencer(*files)(picture(20, 20), picture(16, 16)).shape == (20, 20, 3)


# --------------------------------------------------------------------------------------- bfloat16
@pytest.mark.parametrize('capabilities, computes', [
    (dict(amx_bf16=True), True), (dict(avx512_bf16=True, amx_bf16=False), False), (None, False)])
def test_bfloat16_by_itself(checkpoints, monkeypatch, capabilities, computes):
    """Where the CPU has AMX, unless the user says otherwise."""
    if capabilities is None:  # torch 2.6
        monkeypatch.delattr('torch.cpu.get_capabilities', raising=False)
    else:
        monkeypatch.setattr('torch.cpu.get_capabilities', lambda: capabilities, raising=False)
    monkeypatch.setattr('egscit_mm.utils.cpu.computes_in_amx', computes_in_amx)
    files = checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', 'cpu'
    assert EGSCITInferencer(*files).amp is computes
    assert EGSCITInferencer(*files, amp=False).amp is False
    assert EGSCITInferencer(*files, amp=True).amp is True


def test_bfloat16_of_a_trained_model():
    """Of the values 99.9 in 100 are within 2 of 255 of float32's."""
    root = Path(__file__).parents[2]
    files = (root / 'configs/egscit/egscit_quickstart.py',
             root / 'checkpoints/egscit_quickstart-c77d4573.safetensors', 'cpu')
    contents, exemplars = (sorted((root / f'demo/digits/{side}').glob('*.png'))
                           for side in ('content', 'exemplar'))
    whole, half = (np.array(EGSCITInferencer(*files, amp=amp)(
        contents, exemplars, pairing='matrix')).astype(int) for amp in (False, True))
    difference = np.abs(whole - half)
    assert difference.max() > 0  # it was computed otherwise
    assert (difference > 2).mean() < 1e-3 and difference.max() <= 8


def test_the_street_model_gives_each_content_the_colours_of_each_exemplar():
    root = Path(__file__).parents[2]
    inferencer = EGSCITInferencer(
        root / 'configs/egscit/egscit_streets_reduced.py',
        root / 'checkpoints/egscit_streets_reduced-c59eb2c3.safetensors', 'cpu')
    contents, exemplars = (
        [np.array(Image.open(path)) for path in sorted((root / f'demo/streets/{side}').glob('*'))]
        for side in ('content', 'exemplar'))
    results = np.array(inferencer(contents, exemplars, pairing='matrix'))
    assert results.shape == (5, 5, 64, 128, 3)
    wanted = np.array(exemplars).mean((1, 2))  # (5 exemplars, RGB)
    for row in results.mean((2, 3)):
        assert np.corrcoef(row.ravel(), wanted.ravel())[0, 1] > 0.95
