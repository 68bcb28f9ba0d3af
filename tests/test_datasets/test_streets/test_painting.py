# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from itertools import product

import cv2
import numpy as np
import pytest

from egscit_mm.datasets.streets import CATEGORIES, DOMAINS, SIZES, Scene, Style, draw_scene, paint
from egscit_mm.datasets.streets.scene import Camera, Shape
from egscit_mm.datasets.streets.style import TIMES, WEATHERS

SIZE = 128, 256
DAY = {domain: Style(domain, 'day', 'clear', 0.5, 0.0, 1.0) for domain in DOMAINS}


def one(scene, style, size=SIZE):
    (picture, ), labels = paint(scene, [style], size)
    return picture, labels


def square(kind, tone=0.5):
    """A picture of a shape in the left half, before a sky."""
    whole, left = ([[(0, 0), (x, 0), (x, 1), (0, 1)]] for x in (2, 1))
    return Scene(Camera(1, 0.99, 1, 1), [Shape('sky', whole), Shape(kind, left, 5.0, tone)], [],
                 [], [], (0, 0))


@pytest.mark.parametrize('size', SIZES)
def test_pictures_and_labels_are_of_the_size_asked_for(size):
    picture, labels = one(draw_scene('a'), DAY['B'], size)
    assert picture.shape == (*size, 3) and labels.shape == size
    assert picture.dtype == labels.dtype == np.uint8 and labels.max() < len(CATEGORIES)


@pytest.mark.parametrize('style', [
    Style(domain, time, weather, 0.3, -0.2, 1.1)
    for domain, time, weather in product(DOMAINS, TIMES, WEATHERS)])
def test_same_scene_and_style_same_pixels(style):
    first, second = (one(draw_scene('b'), style)[0] for _ in range(2))
    assert (first == second).all() and first.std() > 3


@pytest.mark.parametrize('size, double', list(zip(SIZES, SIZES[1:])))
def test_all_sizes_show_the_same(size, double):
    scene = draw_scene('c')
    (small, small_labels), (large, large_labels) = (
        one(scene, DAY['A'], each) for each in (size, double))
    reduced = cv2.resize(large, size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(int) - small).mean() < 4
    assert (large_labels[::2, ::2] == small_labels).mean() > 0.95


@pytest.mark.parametrize('domain', DOMAINS)
@pytest.mark.parametrize('kind, category', [
    ('facade', 'construction'), ('leaves', 'nature'), ('car', 'vehicle'), ('skin', 'human'),
    ('pole', 'object'), ('bin', 'void'), ('cloud', 'sky')])
def test_labels_lie_where_the_painting_changes(domain, kind, category):
    picture, labels = one(square(kind), DAY[domain])
    half = SIZE[1] // 2
    assert (labels[:, :half] == CATEGORIES.index(category)).all()
    assert (labels[:, half:] == CATEGORIES.index('sky')).all()
    steps = np.abs(np.diff(picture[:60].astype(int).mean(0), axis=0)).sum(-1)
    assert abs(int(steps.argmax()) - (half - 1)) <= 1


def test_labels_agree_with_the_colours_of_whole_scenes():
    # Between two pixels of one shape the game's colours hardly change, so that large steps lie
    # near the borders of shapes; foliage is the only green.
    for seed in 'defgh':
        picture, labels = one(draw_scene(seed), DAY['A'])
        red, green, blue = picture.astype(int).transpose(2, 0, 1)
        leafy = labels == CATEGORIES.index('nature')
        inner = cv2.erode(leafy.astype(np.uint8), np.ones((3, 3))) > 0
        assert inner.any() and (green > np.maximum(red, blue))[inner].mean() > 0.9
        sky = cv2.erode((labels == CATEGORIES.index('sky')).astype(np.uint8), np.ones((3, 3))) > 0
        assert not sky.any() or (blue >= red - 5)[sky].mean() > 0.8


def test_labels_do_not_depend_on_the_style():
    scene = draw_scene('i')
    labels = [one(scene, Style(domain, time, 'fog', 0.1, 0.5, 0.9))[1]
              for domain, time in product(DOMAINS, TIMES)]
    assert all((labels[0] == other).all() for other in labels)


def test_domains_differ_in_saturation_sharpness_and_corners():
    def measure(domain):
        pictures = [one(draw_scene(seed), DAY[domain])[0] for seed in map(str, range(12))]
        hsv = [cv2.cvtColor(picture, cv2.COLOR_RGB2HSV) for picture in pictures]
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
        return (np.mean([image[..., 1].mean() for image in hsv]),
                np.mean([cv2.Laplacian(image, cv2.CV_32F).std() for image in grey]))

    (saturation_a, sharpness_a), (saturation_b, sharpness_b) = map(measure, DOMAINS)
    assert saturation_a > 1.3 * saturation_b and sharpness_a > 1.3 * sharpness_b


@pytest.mark.parametrize('domain', DOMAINS)
def test_styles_show(domain):
    scene = draw_scene('j')
    mean = {time: one(scene, DAY[domain]._replace(time=time))[0].mean() for time in TIMES}
    assert mean['day'] > mean['dusk'] > mean['night']
    means = {weather: one(scene, DAY[domain]._replace(weather=weather))[0].std()
             for weather in WEATHERS}
    assert means['fog'] < means['clear']
    warm, cold = (one(scene, DAY[domain]._replace(warmth=by))[0].mean((0, 1)) for by in (1, -1))
    assert warm[0] > cold[0] and warm[2] < cold[2]
    bright, dark = (one(scene, DAY[domain]._replace(exposure=by))[0].mean() for by in (1.2, 0.8))
    assert bright > 1.2 * dark


@pytest.mark.parametrize('domain', DOMAINS)
def test_windows_are_lit_at_night_only(domain):
    night = Style(domain, 'night', 'clear', 0.5, 0.0, 1.0)
    lit, dark = square('lit_window'), square('window')
    assert (one(lit, DAY[domain])[0] == one(dark, DAY[domain])[0]).all()
    left = np.s_[:, :100]
    assert one(lit, night)[0][left].mean() > 2 * one(dark, night)[0][left].mean()
