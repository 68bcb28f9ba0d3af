# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Shape and colours of real handwritten digits."""
import numpy as np
import pytest
from metric_contract import MetricContract
from mmagic.registry import METRICS
from scipy.ndimage import binary_dilation, binary_erosion
from translated import evaluate, same_both_ways

from egscit_mm.datasets.digits import (
    COLOURS,
    STYLES,
    Palette,
    Style,
    binarize,
    draw_cells,
    draw_palette,
    paint,
    paint_multiple,
)
from egscit_mm.datasets.digits.characters import load_embedded_digits
from egscit_mm.evaluation import ContentAccuracy, StyleAccuracy, right_colours, stroke_iou

NUMBER = 40
ALL_STYLES = [style for styles in STYLES.values() for style in styles.values()]
BLACK, RED, GREEN, BLUE = (COLOURS[name] for name in ('black', 'red', 'green', 'blue'))


def masks():
    digits, _ = load_embedded_digits()
    # Sorted by class, 100 of each: 0, 1, ..., 9 and again.
    images = digits['test'].images.reshape(10, 100, 28, 28).swapaxes(0, 1).reshape(-1, 28, 28)
    # Thicker, so that hollow strokes lose something: MNIST's are two to four pixels wide.
    return [binary_dilation(binarize(image)) for image in images[:NUMBER]]


MASKS = masks()


def style_of(index):
    return ALL_STYLES[index % len(ALL_STYLES)]


def truth(index):
    return paint(MASKS[index], style_of(index))


def swapped(index):
    return paint(MASKS[index], Style(*reversed(style_of(index))))


def other_digit(index):
    return paint(MASKS[(index + 1) % NUMBER], style_of(index))


def hollow(index):
    return paint(MASKS[index] & ~binary_erosion(MASKS[index]), style_of(index))


def noisy(index):
    noise = np.random.default_rng(index).integers(-20, 21, (28, 28, 3))
    return np.clip(truth(index) + noise, 0, 255).astype(np.uint8)


def washed_out(index):
    return (truth(index) * 0.6 + 51).astype(np.uint8)


def empty(index):
    return paint(np.zeros((28, 28), bool), style_of(index))


def empty_and_noisy(index):
    noise = np.random.default_rng(index).integers(-10, 11, (28, 28, 3))
    return np.clip(empty(index) + noise, 0, 255).astype(np.uint8)


def grey(index):
    return np.full((28, 28, 3), 128, np.uint8)


def scores(translation, ground_truth=truth):
    samples = same_both_ways(NUMBER, translation, ground_truth)
    results = {**evaluate(StyleAccuracy(), samples), **evaluate(ContentAccuracy(), samples)}
    assert results['style_accuracy/A2B_mean'] == results['style_accuracy/B2A_mean']
    return {name.removesuffix('/A2B_mean'): value for name, value in results.items()
            if name.endswith('/A2B_mean')}


class TestProperties:

    @pytest.mark.parametrize('translation', [truth, noisy, washed_out])
    def test_perfect(self, translation):
        assert scores(translation) == dict(
            style_accuracy=1, colour_accuracy=1, content_accuracy=1, content_iou=1)

    def test_swapped_polarity_is_wrong_style_of_right_shape(self):
        assert scores(swapped) == dict(
            style_accuracy=0, colour_accuracy=0, content_accuracy=1, content_iou=1)

    def test_other_digit_is_right_style_of_wrong_shape(self):
        found = scores(other_digit)
        assert found.pop('content_iou') < 0.5
        assert found == dict(style_accuracy=1, colour_accuracy=1, content_accuracy=0)

    def test_hollow_digit_is_wrong_shape(self):
        found = scores(hollow)
        assert 0.3 < found.pop('content_iou') < 0.8
        assert found == dict(style_accuracy=1, colour_accuracy=1, content_accuracy=0)

    @pytest.mark.parametrize('translation', [empty, empty_and_noisy])
    def test_background_alone(self, translation):
        assert scores(translation) == dict(
            style_accuracy=0, colour_accuracy=0.5, content_accuracy=0, content_iou=0)

    def test_grey(self):
        assert scores(grey) == dict(
            style_accuracy=0, colour_accuracy=0, content_accuracy=0, content_iou=0)


class TestStrokeIoU:

    def test_by_hand(self):
        wanted, found = np.zeros((2, 8, 8), bool)
        wanted[2:6, 2:4] = True  # 8 pixels
        found[2:6, 3:6] = True  # 12 pixels, 4 in common
        image = paint(found, Style((90, 0, 0), (10, 20, 30)))
        assert stroke_iou(image, paint(wanted, Style(RED, GREEN))) == 4 / 16

    def test_bold_strokes_are_no_background(self):
        # More than half of the pixels; the border tells which of both colours is the background.
        mask = np.zeros((8, 8), bool)
        mask[1:7, 1:7] = True
        assert stroke_iou(paint(mask, Style(RED, BLUE)), paint(mask, Style(GREEN, RED))) == 1

    def test_errors(self):
        with pytest.raises(ValueError, match=r'\(28, 28, 3\) and \(14, 14, 3\)'):
            stroke_iou(truth(0), truth(0)[::2, ::2])
        photograph = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        with pytest.raises(ValueError, match='64 colours, but 2 to 11 .* flat colours'):
            stroke_iou(photograph, photograph)
        with pytest.raises(ValueError, match='1 colours'):
            stroke_iou(grey(0), grey(0))


class TestRightColours:

    def test_tolerance(self):
        image = paint(MASKS[0], Style((255 - 64, 64, 0), GREEN))
        wanted = paint(MASKS[0], Style(RED, GREEN))
        assert right_colours(image, wanted, 64).tolist() == [True, True]
        assert right_colours(image, wanted, 63).tolist() == [True, False]

    def test_nearer_to_another_colour(self):
        colours = (60, 0, 0), (100, 0, 0)
        wanted = paint_multiple(MASKS[:10], range(10), Palette(BLACK, colours * 5))
        image = paint_multiple(MASKS[:10], range(10), Palette(BLACK, ((75, 0, 0), ) * 10))
        # 75 is as close as the tolerance allows to both, but nearer to 60.
        assert right_colours(image, wanted, 25).tolist() == [True, True, False]


class TestMultipleDigits:

    @staticmethod
    def picture(domain, seed):
        rng = np.random.RandomState(seed)
        return draw_cells(rng), draw_palette(domain, rng)

    @pytest.mark.parametrize('domain', 'AB')
    def test_shape_and_colours(self, domain):
        for seed in range(10):
            cells, palette = self.picture(domain, seed)
            wanted = paint_multiple(MASKS[:10], cells, palette)
            number = 1 + len(set(palette.digits))
            assert right_colours(wanted, wanted, 0).tolist() == [True] * number
            assert stroke_iou(wanted, wanted) == 1
            other = paint_multiple(MASKS[10:20][::-1], cells, palette)
            assert right_colours(other, wanted, 0).tolist() == [True] * number
            assert stroke_iou(other, wanted) < 0.7

    def test_digits_in_each_others_colours(self):
        cells, palette = self.picture('B', 0)
        wanted = paint_multiple(MASKS[:10], cells, palette)
        rotated = Palette(palette.background, palette.digits[1:] + palette.digits[:1])
        image = paint_multiple(MASKS[:10], cells, rotated)
        assert right_colours(image, wanted, 127).tolist() == [True] + [False] * 10
        assert stroke_iou(image, wanted) == 1

    def test_one_digit_missing(self):
        cells, palette = self.picture('B', 1)
        wanted = paint_multiple(MASKS[:10], cells, palette)
        image = paint_multiple([*MASKS[:9], np.zeros((28, 28), bool)], cells, palette)
        assert right_colours(image, wanted, 64).sum() == 10
        missing = MASKS[9].sum() / sum(mask.sum() for mask in MASKS[:10])
        assert stroke_iou(image, wanted) == pytest.approx(1 - missing)


class TestMetrics:

    def test_thresholds_are_used(self):
        wanted = paint(MASKS[0], Style(RED, GREEN))
        image = paint(MASKS[0] & (np.arange(28) % 4 > 0), Style((200, 0, 0), GREEN))
        iou = stroke_iou(image, wanted)
        assert 0.7 < iou < 0.8
        samples = same_both_ways(1, lambda index: image, lambda index: wanted)
        for threshold in (0.8, 0.7):
            metric = METRICS.build(dict(type='ContentAccuracy', threshold=threshold))
            results = evaluate(metric, samples)
            assert results['content_accuracy/B2A_mean'] == (iou >= threshold)
            assert results['content_iou/B2A_mean'] == pytest.approx(iou)
        for tolerance in (54, 55):
            metric = METRICS.build(dict(type='StyleAccuracy', tolerance=tolerance))
            results = evaluate(metric, samples)
            assert results['style_accuracy/B2A_mean'] == (tolerance == 55)
            assert results['colour_accuracy/B2A_mean'] == (1 if tolerance == 55 else 0.5)

    @pytest.mark.parametrize('metric', [StyleAccuracy, ContentAccuracy])
    def test_errors(self, metric):
        with pytest.raises(ValueError, match='translation A2B has no ground truth'):
            evaluate(metric(), same_both_ways(1, truth))
        with pytest.raises(ValueError, match='translation A2B: the ground truth has 1 colours'):
            evaluate(metric(), same_both_ways(1, truth, grey))

    def test_bad_arguments(self):
        for tolerance in (-1, 128):
            with pytest.raises(ValueError, match='0..127'):
                StyleAccuracy(tolerance=tolerance)
        for threshold in (0, 1.1):
            with pytest.raises(ValueError, match=r'\(0, 1\]'):
                ContentAccuracy(threshold=threshold)


class TestStyleContract(MetricContract):

    def build(self, **kwargs):
        return StyleAccuracy(**kwargs)

    @pytest.fixture
    def samples(self):
        return same_both_ways(3, lambda index: truth(index) if index else swapped(index), truth)

    def values(self, image, ground_truth, exemplar):
        right = right_colours(image, ground_truth, 64)
        return dict(style_accuracy=right.all(), colour_accuracy=right.mean())


class TestContentContract(MetricContract):

    def build(self, **kwargs):
        return ContentAccuracy(threshold=0.9, **kwargs)

    @pytest.fixture
    def samples(self):
        return same_both_ways(3, lambda index: truth(index) if index else hollow(index), truth)

    def values(self, image, ground_truth, exemplar):
        iou = stroke_iou(image, ground_truth)
        return dict(content_accuracy=iou >= 0.9, content_iou=iou)
