# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from collections import Counter
from colorsys import rgb_to_hsv
from types import SimpleNamespace

import numpy as np
import pytest

from egscit_mm.datasets.digits import Palette, draw_cells, draw_palette, paint_multiple

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
GREYS = Palette(WHITE, tuple((10 * digit, ) * 3 for digit in range(10)))


def test_draw_cells_gives_ten_distinct_cells_with_equal_chances():
    rng = np.random.RandomState(0)
    draws = [draw_cells(rng) for _ in range(2000)]
    assert all(len(cells) == len(set(cells)) == 10 for cells in draws)
    tolerance = 4.5 * np.sqrt(1 / 16 * 15 / 16 / 2000)  # standard deviations, of 160 shares
    for digit in range(10):
        counts = Counter(cells[digit] for cells in draws)
        assert set(counts) == set(range(16))
        assert all(abs(count / 2000 - 1 / 16) < tolerance for count in counts.values())


def test_palette_of_domain_a_is_black_and_white():
    rng = np.random.RandomState(0)
    counts = Counter(draw_palette('A', rng) for _ in range(1000))
    assert set(counts) == {Palette(WHITE, (BLACK, ) * 10), Palette(BLACK, (WHITE, ) * 10)}
    assert all(abs(count - 500) < 4 * np.sqrt(250) for count in counts.values())


def test_palette_of_domain_b_without_jitter():
    # The random numbers at the middle of their ranges.
    rng = SimpleNamespace(randint=lambda stop: 1, uniform=lambda low, high, size: np.ones(size))
    palette = draw_palette('B', rng)
    assert palette.background == WHITE
    # Saturation and value 0.5: the largest channel is 255 * 0.5, the smallest half of it, and the
    # one between stands where the hue stands between two of red, yellow, green, ...
    expected = [(127.5, 63.75, 63.75), (127.5, 102, 63.75), (114.75, 127.5, 63.75),
                (76.5, 127.5, 63.75), (63.75, 127.5, 89.25), (63.75, 127.5, 127.5),
                (63.75, 89.25, 127.5), (76.5, 63.75, 127.5), (114.75, 63.75, 127.5),
                (127.5, 63.75, 102)]
    np.testing.assert_allclose(palette.digits, expected, rtol=0, atol=0.5)


def test_palettes_of_domain_b_fill_the_range_of_the_paper():
    rng = np.random.RandomState(0)
    palettes = [draw_palette('B', rng) for _ in range(1000)]
    backgrounds = Counter(palette.background for palette in palettes)
    assert set(backgrounds) == {BLACK, WHITE}
    assert abs(backgrounds[BLACK] - 500) < 4 * np.sqrt(250)
    hsv = np.array([[rgb_to_hsv(*(channel / 255 for channel in colour))
                     for colour in palette.digits] for palette in palettes])
    hue_error = (hsv[..., 0] - np.arange(10) / 10 + 0.5) % 1 - 0.5
    assert abs(hue_error).max() < 0.01  # channels are whole numbers
    for part in (hsv[..., 1], hsv[..., 2]):
        assert (part > 0.29).all() and (part < 0.71).all()
        # Uniform on 0.3..0.7, anew for every picture and digit.
        assert (part.min(0) < 0.31).all() and (part.max(0) > 0.69).all()
        np.testing.assert_allclose(part.mean(0), 0.5, atol=0.02)
        correlation = np.corrcoef(part.T) - np.eye(10)
        assert abs(correlation).max() < 0.15
    assert abs(np.corrcoef(hsv[..., 1].ravel(), hsv[..., 2].ravel())[0, 1]) < 0.05


def test_palette_names_the_domain_that_it_does_not_know():
    with pytest.raises(ValueError, match="domain 'C'"):
        draw_palette('C', np.random.RandomState(0))


def test_paint_multiple_puts_each_digit_in_its_cell_and_colour():
    masks = np.random.RandomState(0).rand(10, 28, 28) < 0.3
    cells = [15, 0, 4, 3, 1, 2, 9, 8, 6, 5]
    image = paint_multiple(list(masks), cells, GREYS)
    assert image.shape == (112, 112, 3) and image.dtype == np.uint8
    for y in range(112):
        for x in range(112):
            cell = y // 28 * 4 + x // 28
            expected = 255
            if cell in cells and masks[cells.index(cell), y % 28, x % 28]:
                expected = 10 * cells.index(cell)
            assert image[y, x].tolist() == [expected] * 3


@pytest.mark.parametrize('masks, cells, palette, match', [
    (np.zeros((9, 28, 28), bool), range(10), GREYS, r'bool of shape \(10, 28, 28\), got bool \(9'),
    (np.zeros((10, 28, 28), np.uint8), range(10), GREYS, 'got uint8'),
    (np.zeros((10, 28, 28), bool), [0, 0, *range(2, 10)], GREYS, '10 distinct numbers in 0..15'),
    (np.zeros((10, 28, 28), bool), range(7, 17), GREYS, '10 distinct numbers in 0..15'),
    (np.zeros((10, 28, 28), bool), range(9), GREYS, '10 distinct numbers in 0..15'),
    (np.zeros((10, 28, 28), bool), range(10), Palette(WHITE, GREYS.digits[:9]), 'colours, got 9'),
])
def test_paint_multiple_refuses_what_does_not_fit(masks, cells, palette, match):
    with pytest.raises(ValueError, match=match):
        paint_multiple(masks, cells, palette)
