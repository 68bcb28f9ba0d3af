# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Mixtures, strength and regions of styles."""
import copy

import pytest
import torch
from tiny_models import random_images, tiny_translator

from egscit_mm.models.layers import (
    AdaIN,
    MeanStyle,
    channel_statistics,
    mix_styles,
    region_maps,
    regional_statistics,
    regional_style,
    strengthen,
)
from egscit_mm.utils.errors import UserError


def random_style(channels=5):
    return torch.rand(1, channels, 1, 1), torch.randn(1, channels, 1, 1)


def same(style, other):
    return all(torch.equal(*parts) for parts in zip(style, other, strict=True))


# ---------------------------------------------------------------------------------- mixtures
def test_a_mixture_is_the_weighted_mean():
    styles = [random_style() for _ in range(3)]
    mixed = mix_styles(styles, [2, 1, 5])
    for part, *parts in zip(mixed, *styles):
        torch.testing.assert_close(part, (2 * parts[0] + parts[1] + 5 * parts[2]) / 8)
    means = mix_styles(styles)
    torch.testing.assert_close(means[0], torch.stack([style[0] for style in styles]).mean(0))


@pytest.mark.parametrize('place', range(3))
def test_weight_1_is_the_style_itself(place):
    styles = [random_style() for _ in range(3)]
    weights = [0.] * 3
    weights[place] = 0.7  # weights are divided by their sum
    assert same(mix_styles(styles, weights), styles[place])


def test_equal_styles_mix_to_themselves():
    style = random_style()
    assert same(mix_styles([style] * 4, [0.1, 0.2, 0.3, 0.7]), style)
    code = torch.randn(1, 8)
    assert torch.equal(mix_styles([code] * 3, [1, 2, 4]), code)


@pytest.mark.parametrize('weights, message', [
    ([1, -1], 'at least 0'), ([0, 0], 'a finite sum'), ([1, float('nan')], 'at least 0'),
    ([float('inf'), 1], 'at least 0'), ([1], '1 weights for 2 exemplars'),
])
def test_bad_weights(weights, message):
    with pytest.raises(UserError, match=message):
        mix_styles([random_style(), random_style()], weights)


def test_nothing_to_mix():
    with pytest.raises(UserError, match='at least one exemplar'):
        mix_styles([])
    with pytest.raises(UserError, match='no style from exemplars'):
        mix_styles([None, None])


# ---------------------------------------------------------------------------------- strength
def test_strength_goes_from_the_mean_to_the_exemplar():
    style, mean = random_style(), random_style()
    assert strengthen(style, mean, 1) is style
    assert same(strengthen(style, mean, 0), mean)
    torch.testing.assert_close(strengthen(style, mean, 0.25)[1], 0.75 * mean[1] + 0.25 * style[1])
    with pytest.warns(UserWarning, match='beyond the exemplar'):
        beyond = strengthen(style, mean, 1.5)
    torch.testing.assert_close(beyond[0], mean[0] + 1.5 * (style[0] - mean[0]))


@pytest.mark.parametrize('strength', [-0.1, 1.51, float('nan')])
def test_bad_strengths(strength):
    with pytest.raises(UserError, match='must lie in 0..1.5'):
        strengthen(random_style(), random_style(), strength)


@pytest.mark.parametrize('form, lowest', [('std', 0), ('var', 0), ('release', -1)])
def test_a_scale_that_is_a_deviation_stays_possible(form, lowest):
    gamma, beta = AdaIN(form).possible((torch.tensor([-1., 2.]), torch.tensor([-3., 4.])))
    assert gamma.tolist() == [lowest, 2] and beta.tolist() == [-3, 4]


def test_strength_of_the_network():
    torch.manual_seed(0)
    net = tiny_translator(adain='std').eval()
    style, mean = (net.encode_style(random_images()['B'], 'B') for _ in range(2))
    mean = tuple(part[:1] for part in mean)
    assert same(net.strengthened(style, 'B', 1.), style)  # needs no mean
    with pytest.raises(UserError, match='--mean-of DIR .*the checkpoint of the training, not '
                       'a published file, .*publish_model.py --mean-of B=DIR'):
        net.strengthened(style, 'B', 0.5)
    net.mean_styles['B'].set(mean)
    for part, middle in zip(net.strengthened(style, 'B', 0), mean):
        assert torch.equal(part, middle.expand_as(part))
    small = tuple(part * 1e-3 for part in mean)  # its deviation would be negative at 1.5
    with pytest.warns(UserWarning):
        assert net.strengthened(small, 'B', 1.5)[0].min() == 0


# ------------------------------------------------------------------------------- mean styles
def test_a_mean_style_is_kept_with_the_weights_where_it_is_known():
    net = tiny_translator(adain='std')
    before = net.state_dict()
    assert not any('mean_styles' in name for name in before)
    net.mean_styles['B'].set(random_style())
    state = net.state_dict()
    assert set(state) - set(before) == {'mean_styles.B.gamma', 'mean_styles.B.beta'}
    other = tiny_translator(adain='std')
    other.load_state_dict(state)  # strict
    assert same(other.mean_style('B'), net.mean_style('B')) and other.mean_style('A') is None
    assert same(copy.deepcopy(net).mean_style('B'), net.mean_style('B'))
    other.load_state_dict(before)  # of another training: its mean style is not known
    assert other.mean_style('B') is None


def test_a_mean_style_of_one_part():
    kept = MeanStyle('code')
    assert kept.get() is None
    kept.set(torch.ones(1, 8))
    assert torch.equal(kept.get(), torch.ones(1, 8))


# ----------------------------------------------------------------------------------- regions
def test_maps_of_regions():
    labels = torch.full((8, 16), 3)
    labels[:, 7:] = 9
    maps = region_maps(labels, [3, 9], stride=2, blend=0)
    assert maps.shape == (2, 1, 4, 8)
    # The fourth cell has one column of each region.
    assert maps[0, 0, 0].tolist() == [1, 1, 1, 0.5, 0, 0, 0, 0]
    assert torch.equal(maps.sum(0), torch.ones(1, 4, 8))


def test_borders_are_blended_over_their_width():
    labels = torch.zeros(64, 64, dtype=torch.long)
    labels[:, 32:] = 1
    share = region_maps(labels, [0, 1], stride=1, blend=8)[1, 0, 0]
    assert share[:27].max() == 0 and share[37:].min() == 1  # 4 at either side
    assert (share[28:36].diff() > 0).all()
    # A region that is smaller than the blending reaches no further than the image.
    tiny = region_maps(labels[:4, 30:34], [0, 1], stride=1, blend=500)
    torch.testing.assert_close(tiny.sum(0), torch.ones(1, 4, 4))


def test_a_regional_style_is_each_styles_own_inside():
    labels = torch.zeros(4, 8, dtype=torch.long)
    labels[:, 4:] = 1
    maps = region_maps(labels, [0, 1], stride=1, blend=0)
    styles = [random_style(), random_style()]
    for part, *parts in zip(regional_style(styles, maps), *styles):
        torch.testing.assert_close(part[..., :4], parts[0].expand(1, 5, 4, 4))
        torch.testing.assert_close(part[..., 4:], parts[1].expand(1, 5, 4, 4))


def test_one_region_and_equal_styles_are_no_regions():
    torch.manual_seed(0)
    content, style, adain = torch.randn(1, 5, 4, 8), random_style(), AdaIN('std')
    labels = torch.zeros(4, 8, dtype=torch.long)
    assert same(regional_style([style], region_maps(labels, [0], 1, 8)), style)
    labels[1:3, 2:7] = 1
    maps = region_maps(labels, [0, 1], 1, 4)
    assert torch.equal(adain(content, regional_style([style] * 2, maps)), adain(content, style))


def test_statistics_of_regions():
    torch.manual_seed(0)
    features = torch.randn(1, 5, 6, 8)
    labels = torch.zeros(6, 8, dtype=torch.long)
    labels[:, 3:] = 1
    mean, variance = regional_statistics(features, region_maps(labels, [0, 1], 1, 0))
    for part in (slice(0, 3), slice(3, 8)):
        wanted = channel_statistics(features[..., part])
        for found, value in zip((mean, variance), wanted):
            torch.testing.assert_close(found[..., part], value.expand_as(found[..., part]))
    whole = regional_statistics(features, torch.ones(1, 1, 6, 8))
    for found, value in zip(whole, channel_statistics(features)):
        torch.testing.assert_close(found, value.expand_as(found))


def test_one_region_has_the_style_itself():
    code = torch.ones(1, 8)
    assert torch.equal(regional_style([code], torch.ones(1, 1, 4, 4)), code)


def test_weights_whose_sum_is_no_number_are_refused():
    with pytest.raises(UserError, match='Weights of exemplars'):
        mix_styles([random_style(), random_style()], [1e308, 1e308])
