# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Mixed, weaker and regional styles by the inferencer."""
import numpy as np
import pytest
import torch
from inference_fixtures import folder
from PIL import Image
from tiny_data import picture

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.utils.errors import UserError

__all__ = ['folder']


@pytest.fixture(params=['egscit', 'munit', 'drit', 'augmented', 'cddit'])
def model(folder, request):
    """Not of the module: tests give it mean styles."""
    return EGSCITInferencer(folder / f'{request.param}.py', folder / f'{request.param}.pth')


@pytest.fixture
def egscit(folder):
    return EGSCITInferencer(folder / 'egscit.py', folder / 'egscit.pth')


CONTENT = picture(17, 30, 1)
EXEMPLARS = [picture(16, 16, 2), picture(21, 14, 3), picture(16, 24, 4)]


def test_a_style_can_be_kept(model):
    styles = [model.style(exemplar) for exemplar in EXEMPLARS]
    contents = [CONTENT, picture(17, 30, 5), picture(9, 9, 6)]
    for exemplar, style in zip(EXEMPLARS, styles):
        for result, content in zip(model.translate_to_style(contents, style), contents):
            wanted = model(content, exemplar).astype(int)
            assert np.abs(result - wanted).max() <= 1  # batches round otherwise
        assert np.array_equal(model.translate_to_style(CONTENT, style), model(CONTENT, exemplar))
    other = model.style(EXEMPLARS[0], target_domain='A')
    assert np.array_equal(model.translate_to_style(CONTENT, other, 'A'),
                          model(CONTENT, EXEMPLARS[0], 'A'))
    pil = model.translate_to_style(CONTENT, styles[0], output='pil')
    assert np.array_equal(np.array(pil), model(CONTENT, EXEMPLARS[0]))


@pytest.mark.parametrize('style', ['exemplar.png', EXEMPLARS[0], {1: 'exemplar.png'}])
def test_an_exemplar_is_no_style(egscit, style):
    with pytest.raises(UserError, match=r'style must be what style\(\) gives.*style\(\[exemplar'):
        egscit.translate_to_style(CONTENT, style)


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16, torch.double])
def test_the_model_may_have_another_dtype(model, dtype):
    plain = model(CONTENT, EXEMPLARS[0]).astype(int)
    model.model.to(dtype)
    style = model.style(EXEMPLARS[0])
    for result in (model(CONTENT, EXEMPLARS[0]), model.translate_to_style(CONTENT, style)):
        assert np.abs(result - plain).mean() < 3
    model.keep_mean_style(EXEMPLARS)
    model(CONTENT, EXEMPLARS[0], strength=0.5)


def test_styles_that_do_not_fit_are_refused(egscit, folder, tmp_path):
    style = egscit.style(EXEMPLARS[0])
    two = tuple(torch.cat([part] * 2) for part in style)

    def refused(message, style, content=CONTENT, model=egscit, **kwargs):
        with pytest.raises(UserError, match=message):
            model.translate_to_style(content, style, **kwargs)

    refused('style has 2 rows: expected one for all contents', two)
    refused('style has 2 rows', two, [CONTENT] * 2)
    refused('style has 2 rows', {3: two}, regions=np.full((17, 30), 3))
    refused('got None, which models without AdaIN alone take', None)
    refused('got None', {3: None}, regions=np.full((17, 30), 3))
    refused('A dict of styles by label needs regions', {0: style})
    refused('regions need a dict of styles by label.*got tuple', style, regions=halves())
    munit = EGSCITInferencer(folder / 'munit.py', folder / 'munit.pth')
    refused('regions need a dict of styles by label.*got Tensor', munit.style(EXEMPLARS[0]),
            model=munit, regions=halves())
    refused('got None', None, model=munit)
    config = tmp_path / 'unit.py'
    config.write_text((folder / 'egscit.py').read_text()
                      + "\nmodel['generator'].update(adain=None, eta=0.5)\n")
    unit = EGSCITInferencer(config, folder / 'egscit.pth')
    refused('got one, but its translations depend on no exemplar', style, model=unit)
    assert np.array_equal(unit.translate_to_style(CONTENT, unit.style(EXEMPLARS[0])),
                          unit(CONTENT, EXEMPLARS[0]))


def test_weights_and_strength_must_be_numbers(egscit):
    for weights in (['1', 1, 1], [None] * 3, 1, [float('nan'), 1, 1]):
        with pytest.raises(UserError, match='Weights of exemplars must be numbers'):
            egscit.style(EXEMPLARS, weights)
    egscit.keep_mean_style(EXEMPLARS)
    for strength in ('0.5', None, [1], float('nan')):
        with pytest.raises(UserError, match='strength of a style must lie in 0..1.5, got'):
            egscit(CONTENT, EXEMPLARS[0], strength=strength)


def test_weight_1_and_equal_exemplars_are_the_plain_result(model):
    plain = model(CONTENT, EXEMPLARS[0])
    for style in (model.style(EXEMPLARS, [1, 0, 0]), model.style([EXEMPLARS[0]] * 3, [3, 1, 1]),
                  model.style(EXEMPLARS[0], [2])):
        assert np.array_equal(model.translate_to_style(CONTENT, style), plain)
    mixed = model.translate_to_style(CONTENT, model.style(EXEMPLARS[:2], [1, 1]))
    assert not np.array_equal(mixed, plain)


def test_strength(egscit):
    plain = egscit(CONTENT, EXEMPLARS[0])
    assert np.array_equal(egscit(CONTENT, EXEMPLARS[0], strength=1), plain)
    with pytest.raises(UserError, match="mean style of domain 'B'"):
        egscit(CONTENT, EXEMPLARS[0], strength=0.5)
    egscit.keep_mean_style(EXEMPLARS)
    assert np.array_equal(egscit(CONTENT, EXEMPLARS[0], strength=1), plain)
    mean = egscit.translate_to_style(CONTENT, egscit.style(EXEMPLARS))
    assert np.array_equal(egscit(CONTENT, EXEMPLARS[0], strength=0), mean)
    half = egscit.style(EXEMPLARS[0], strength=0.5)
    assert np.array_equal(egscit(CONTENT, EXEMPLARS[0], strength=0.5),
                          egscit.translate_to_style(CONTENT, half))
    with pytest.warns(UserWarning, match='beyond the exemplar'):
        egscit(CONTENT, EXEMPLARS[0], strength=1.5)
    with pytest.raises(UserError, match='0..1.5'):
        egscit(CONTENT, EXEMPLARS[0], strength=2)
    with pytest.raises(UserError, match="domain 'A', which this"):  # the other one is not known
        egscit(CONTENT, EXEMPLARS[0], 'A', strength=0.5)


def test_munit_knows_the_mean_of_its_prior(folder):
    model = EGSCITInferencer(folder / 'munit.py', folder / 'munit.pth')
    results = [model(CONTENT, exemplar, strength=0) for exemplar in EXEMPLARS]
    assert np.array_equal(results[0], results[1])
    zero = torch.zeros(1, model.model.inference_generators.style_dim)
    assert np.array_equal(results[0], model.translate_to_style(CONTENT, zero))


def halves(height=17, width=30):
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2:] = 7
    return labels


@pytest.mark.parametrize('statistics', ['image', 'region'])
def test_one_region_is_no_regions(model, statistics):
    style, other = (model.style(exemplar) for exemplar in EXEMPLARS[:2])
    result = model.translate_to_style(
        CONTENT, {3: style, 4: other}, regions=np.full((17, 30), 3),
        region_statistics=statistics)
    assert np.array_equal(result, model(CONTENT, EXEMPLARS[0]))


def test_equal_exemplars_in_all_regions_are_no_regions(egscit):
    style = egscit.style(EXEMPLARS[0])
    result = egscit.translate_to_style(CONTENT, {0: style, 7: style}, regions=halves())
    assert np.array_equal(result, egscit(CONTENT, EXEMPLARS[0]))


def test_a_region_shows_what_its_exemplar_gives_there(egscit):
    content = picture(24, 96, 1)
    left, right = (egscit.style(exemplar) for exemplar in EXEMPLARS[:2])
    result = egscit.translate_to_style(content, {0: left, 7: right}, regions=halves(24, 96))
    for exemplar, part in zip(EXEMPLARS, (slice(0, 24), slice(72, 96))):
        assert np.abs(result[:, part].astype(int) - egscit(content, exemplar)[:, part]).max() <= 1
    own = egscit.translate_to_style(content, {0: left, 7: right}, regions=halves(24, 96),
                                    region_statistics='region')
    assert not np.array_equal(own, result)


def test_label_maps(egscit, tmp_path):
    styles = {0: egscit.style(EXEMPLARS[0]), 7: egscit.style(EXEMPLARS[1])}
    wanted = egscit.translate_to_style(CONTENT, styles, regions=halves())
    Image.fromarray(halves()).save(tmp_path / 'labels.png')
    Image.fromarray(halves().astype(np.uint16)).save(tmp_path / 'wide.png')
    for same in (tmp_path / 'labels.png', str(tmp_path / 'wide.png'), Image.fromarray(halves()),
                 halves().astype(int)):
        assert np.array_equal(egscit.translate_to_style(CONTENT, styles, regions=same), wanted)
    several = egscit.translate_to_style([CONTENT] * 2, styles, regions=[halves()] * 2)
    assert all(np.array_equal(result, wanted) for result in several)

    def refused(message, regions=None, content=CONTENT, **kwargs):
        with pytest.raises(UserError, match=message):
            egscit.translate_to_style(content, styles, regions=halves() if regions is None
                                      else regions, **kwargs)

    refused('has 30 x 17 pixels, its content 30 x 16', content=picture(16, 30))
    refused(r'has the labels \[9\], .* exemplars for the labels \[0, 7\]',
            halves() + 2 * (halves() > 0))
    refused('does not exist', tmp_path / 'none.png')
    Image.fromarray(CONTENT).save(tmp_path / 'rgb.png')
    refused('rgb.png is of mode RGB', tmp_path / 'rgb.png')
    refused('must be integers', halves().astype(float))
    refused('1 for 2 contents', [halves()], [CONTENT] * 2)
    refused('statistics of regions must be one of', region_statistics='all')
    refused('blend must be a number of at least 0', blend=-1)


@pytest.mark.parametrize('stage', ['munit', 'drit', 'augmented', 'cddit'])
def test_other_methods_have_no_regions(folder, stage):
    model = EGSCITInferencer(folder / f'{stage}.py', folder / f'{stage}.pth')
    styles = {0: model.style(EXEMPLARS[0]), 7: model.style(EXEMPLARS[1])}
    with pytest.raises(UserError, match='cannot style regions'):
        model.translate_to_style(CONTENT, styles, regions=halves())


def test_styles_in_tiles(folder):
    whole, tiled = (EGSCITInferencer(folder / 'egscit.py', folder / 'egscit.pth', tile=tile)
                    for tile in (0, 64))
    content, exemplars = picture(70, 90, 1), [picture(60, 40, 2), picture(30, 70, 3)]
    results = []
    for model in (whole, tiled):
        model.keep_mean_style(exemplars)
        style = model.style(exemplars, [3, 1], strength=0.5)
        results.append((model.translate_to_style(content, style),
                        model(content, exemplars[0], strength=0.5)))
    for one, other in zip(*results):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert not np.array_equal(results[1][1], tiled(content, exemplars[0]))
