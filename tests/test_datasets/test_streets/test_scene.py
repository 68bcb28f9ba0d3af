# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import random

import numpy as np
import pytest

from egscit_mm.datasets.streets.labels import CATEGORIES, CATEGORY_OF_KIND
from egscit_mm.datasets.streets.scene import MAX_SHAPES, draw_scene
from egscit_mm.datasets.streets.style import (
    DOMAINS,
    HELD_OUT,
    TIMES,
    WEATHERS,
    Style,
    draw_style,
    held_out,
)

SEEDS = [str(i) for i in range(200)]


def categories(scene):
    return {CATEGORIES[CATEGORY_OF_KIND[shape.kind]]
            for shape in (*scene.backdrop, *scene.shapes)}


def test_a_seed_gives_one_scene():
    assert draw_scene('a') == draw_scene('a') != draw_scene('b')


def test_scenes_stay_within_what_an_index_of_a_byte_can_tell():
    scenes = map(draw_scene, SEEDS)
    assert max(len(scene.backdrop + scene.shapes) for scene in scenes) <= MAX_SHAPES == 256


def test_every_category_is_common():
    seen = [categories(draw_scene(seed)) for seed in SEEDS]
    for category in CATEGORIES:
        assert sum(category in some for some in seen) > len(SEEDS) / 3, category


@pytest.mark.parametrize('category', ['human', 'vehicle', 'object'])
def test_a_category_left_out_changes_nothing_else(category):
    for seed in SEEDS[:20]:
        whole, without = draw_scene(seed), draw_scene(seed, [category])
        assert category not in categories(without)
        if len(whole.shapes) < MAX_SHAPES - 30:  # nothing was too much
            assert without.shapes == [
                shape for shape in whole.shapes
                if CATEGORIES[CATEGORY_OF_KIND[shape.kind]] != category]


def test_what_is_before_the_houses_comes_from_far_to_near():
    for seed in SEEDS[:20]:
        depths = [shape.depth for shape in draw_scene(seed).shapes if shape.kind == 'top']
        assert depths == sorted(depths, reverse=True)


def test_styles_are_a_continuum_of_all_times_and_weathers():
    for domain in DOMAINS:
        rng = random.Random(0)
        styles = [draw_style(domain, rng) for _ in range(1200)]
        assert {style.domain for style in styles} == {domain}
        assert len(set(styles)) == 1200
        for time in TIMES:
            assert abs(sum(style.time == time for style in styles) - 400) < 80
        for weather in WEATHERS:
            share = 1 / 2 if weather == 'clear' else 1 / 6
            assert abs(sum(style.weather == weather for style in styles) - 1200 * share) < 80
    assert np.ptp([style.exposure for style in styles]) > 0.45


def test_an_unknown_domain_is_named():
    with pytest.raises(ValueError, match="unknown domain 'C'"):
        draw_style('C', random.Random(0))


def test_only_domain_b_holds_something_out():
    for name, withheld in HELD_OUT.items():
        time, weather = (name, 'clear') if name in TIMES else ('day', name)
        assert held_out(Style('B', time, weather, 0.5, 0, 1)) == withheld
        assert held_out(Style('A', time, weather, 0.5, 0, 1)) == ()
