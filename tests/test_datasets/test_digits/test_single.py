# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from collections import Counter

import numpy as np
import pytest

from egscit_mm.datasets.digits import STYLES, binarize, draw_style, paint

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def test_styles_are_those_of_the_paper():
    assert STYLES['A'] == dict(black_on_white=(BLACK, WHITE), white_on_black=(WHITE, BLACK))
    assert STYLES['B'] == dict(
        red_on_green=(RED, GREEN),
        red_on_blue=(RED, BLUE),
        green_on_red=(GREEN, RED),
        green_on_blue=(GREEN, BLUE),
        blue_on_red=(BLUE, RED),
        blue_on_green=(BLUE, GREEN))


def test_binarize_cuts_between_127_and_128():
    digit = np.array([[0, 127], [128, 255]], np.uint8)
    assert binarize(digit).tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize('digit', [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8)])
def test_binarize_refuses_what_is_no_grey_uint8_image(digit):
    with pytest.raises(ValueError, match=r'uint8 array of shape \(H, W\), got'):
        binarize(digit)


def test_paint_puts_rgb_foreground_where_the_mask_is_true():
    mask = np.array([[True, False, False], [False, True, True]])
    image = paint(mask, STYLES['B']['red_on_blue'])
    assert image.dtype == np.uint8
    assert image.tolist() == [[list(c) for c in (RED, BLUE, BLUE)],
                              [list(c) for c in (BLUE, RED, RED)]]


@pytest.mark.parametrize('mask', [np.zeros((2, 2), np.uint8), np.zeros(2, bool)])
def test_paint_refuses_what_is_no_mask(mask):
    with pytest.raises(ValueError, match=r'bool array of shape \(H, W\), got'):
        paint(mask, STYLES['A']['black_on_white'])


@pytest.mark.parametrize('domain, label, split, expected', [
    ('A', 3, 'train', STYLES['A']),
    ('A', 7, 'train', STYLES['A']),
    ('A', 7, 'test', STYLES['A']),
    ('B', 0, 'train', STYLES['B']),
    ('B', 4, 'train', STYLES['B']),
    ('B', 5, 'train', ['red_on_green']),
    ('B', 9, 'train', ['red_on_green']),
    ('B', 4, 'test', STYLES['B']),
    ('B', 5, 'test', STYLES['B']),
    ('B', 9, 'test', STYLES['B']),
])
def test_draw_style_is_uniform_over_the_allowed_styles(domain, label, split, expected):
    rng = np.random.RandomState(0)
    draws = 3000
    counts = Counter(draw_style(domain, label, split, rng) for _ in range(draws))
    assert set(counts) == set(expected)
    share = 1 / len(expected)
    tolerance = 4 * np.sqrt(share * (1 - share) / draws)  # four standard deviations
    assert all(abs(count / draws - share) <= tolerance for count in counts.values())


def test_draw_style_depends_on_nothing_but_the_generator():
    first, second = (np.random.RandomState(3) for _ in range(2))
    assert ([draw_style('B', 1, 'test', first) for _ in range(20)] ==
            [draw_style('B', 1, 'test', second) for _ in range(20)])


@pytest.mark.parametrize('domain, split, match', [('C', 'train', "domain 'C'"),
                                                  ('A', 'val', "split 'val'")])
def test_draw_style_names_what_it_does_not_know(domain, split, match):
    with pytest.raises(ValueError, match=match):
        draw_style(domain, 1, split, np.random.RandomState(0))
