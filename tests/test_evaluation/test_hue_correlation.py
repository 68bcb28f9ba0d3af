# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Hues of painted digits."""
import numpy as np
import pytest
from metric_contract import MetricContract
from mmagic.registry import METRICS
from translated import DIRECTIONS, evaluate, same_both_ways

from egscit_mm.evaluation import HueCorrelation, stroke_hues

GREY, RED, BLUE, OLIVE = (40, 40, 40), (200, 0, 0), (30, 30, 150), (120, 120, 0)


def digits(*colours):
    """Bars in these colours on grey."""
    image = np.full((12, 24, 3), GREY, np.uint8)
    for index, colour in enumerate(colours):
        image[2:10, 2 + 6 * index:5 + 6 * index] = colour
    return image


def truth(index):
    return digits(RED, BLUE, OLIVE) if index else digits(OLIVE, RED)


def paler(index):
    """Half the saturation and twice the brightness, on a ground of another colour."""
    image = (truth(index) * 0.5 + 100).astype(np.uint8)
    image[truth(index).max(-1) == GREY[0]] = (0, 90, 0)
    return image


def opposite(index):
    """Each colour's complement: grey less what the colour is more than grey."""
    return (210 - truth(index)).astype(np.uint8)


def correlation(translation, ground_truth=truth, number=2):
    return evaluate(HueCorrelation(), same_both_ways(number, translation, ground_truth))


class TestProperties:

    def test_saturation_brightness_and_ground_do_not_matter(self):
        assert correlation(truth) == pytest.approx(
            {'hue_correlation/A2B': 1., 'hue_correlation/B2A': 1.})
        assert correlation(paler)['hue_correlation/A2B'] > 0.999  # rounded to whole numbers

    def test_complements_are_the_opposite(self):
        assert correlation(opposite)['hue_correlation/B2A'] == pytest.approx(-1.)

    def test_grey_strokes_tell_nothing(self):
        assert correlation(lambda index: digits(*[(99, 99, 99)] * 3)) == {
            'hue_correlation/A2B': 0., 'hue_correlation/B2A': 0.}

    def test_one_hue_for_all_digits_is_no_hue(self):
        found = correlation(lambda index: digits(*[RED] * 3))['hue_correlation/A2B']
        assert found < 0.7

    def test_black_and_white_digits_have_no_figure(self):
        assert correlation(truth, lambda index: digits((0, 0, 0), (255, 255, 255))) == {}

    def test_by_numpy(self):
        noise = np.random.default_rng(0)
        images = [noise.integers(0, 256, (12, 24, 3), np.uint8) for _ in range(3)]
        found, wanted = (np.concatenate([stroke_hues(image, truth(index)).ravel()
                                         for index, image in enumerate(some)])
                         for some in (images, [truth(index) for index in range(3)]))
        results = correlation(lambda index: images[index], number=3)
        assert results['hue_correlation/A2B'] == pytest.approx(
            np.corrcoef(found, wanted)[0, 1])


def test_errors():
    metric = METRICS.build(dict(type='HueCorrelation'))
    with pytest.raises(ValueError, match='translation A2B has no ground truth'):
        evaluate(metric, same_both_ways(1, truth))
    with pytest.raises(ValueError, match='translation A2B: the ground truth has 1 colours'):
        evaluate(HueCorrelation(), same_both_ways(1, truth, lambda index: digits()))


class TestContract(MetricContract):

    def build(self, **kwargs):
        return HueCorrelation(**kwargs)

    @pytest.fixture
    def samples(self):
        return same_both_ways(3, lambda index: (opposite if index else truth)(index), truth)

    @pytest.fixture
    def expected(self, samples):
        figures = {}
        for direction in DIRECTIONS:
            pairs = [(stroke_hues(sample[direction], sample[f'gt_{direction}']).ravel(),
                      stroke_hues(sample[f'gt_{direction}'], sample[f'gt_{direction}']).ravel())
                     for sample in samples]
            found, wanted = (np.concatenate(values) for values in zip(*pairs))
            figures[f'hue_correlation/{direction}'] = np.corrcoef(found, wanted)[0, 1]
        return figures
