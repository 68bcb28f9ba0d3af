# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
from metric_contract import MetricContract
from mmagic.registry import METRICS
from translated import evaluate, same_both_ways

from egscit_mm.evaluation import PixelAccuracy, pixel_accuracy


def random_image(seed, size=(6, 5)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


class TestFunction:

    def test_slow_python(self):
        image, reference = random_image(0), random_image(1)
        thresholds = [0, 100, 150, 200]
        expected = []
        for threshold in thresholds:
            right = [
                all(abs(int(a) - int(b)) <= threshold for a, b in zip(pixel, other))
                for row, other_row in zip(image, reference) for pixel, other in zip(row, other_row)
            ]
            expected.append(sum(right) / len(right))
        assert 0 < expected[1] < expected[2] < expected[3] < 1
        assert pixel_accuracy(image, reference, thresholds) == pytest.approx(expected)
        assert pixel_accuracy(reference, image, thresholds) == pytest.approx(expected)
        assert pixel_accuracy(image, image, [0]) == [1]

    def test_threshold_is_allowed(self):
        black = np.zeros((2, 2, 3), np.uint8)
        image = black.copy()
        image[0, 0] = 16, 0, 3
        image[0, 1, 2] = 17
        assert pixel_accuracy(image, black, [2, 15, 16, 17]) == [0.5, 0.5, 0.75, 1]

    def test_error(self):
        with pytest.raises(ValueError, match=r'\(6, 5, 3\) and \(5, 6, 3\)'):
            pixel_accuracy(random_image(0), random_image(0, (5, 6)), [8])


class TestMetric:

    def test_mean_and_std_by_threshold(self):
        truth = np.full((4, 4, 3), 100, np.uint8)

        def translation(index):
            image = truth.copy()
            image[:index] += 20  # rows
            return image

        metric = METRICS.build(dict(type='PixelAccuracy', thresholds=[16, 20]))
        results = evaluate(metric, same_both_ways(3, translation, lambda index: truth))
        for direction in ('A2B', 'B2A'):
            assert results.pop(f'pixel_accuracy_16/{direction}_mean') == pytest.approx(0.75)
            assert results.pop(f'pixel_accuracy_16/{direction}_std') == pytest.approx(
                np.std([1, 0.75, 0.5]))
            assert results.pop(f'pixel_accuracy_20/{direction}_mean') == 1
            assert results.pop(f'pixel_accuracy_20/{direction}_std') == 0
        assert not results

    def test_errors(self):
        with pytest.raises(ValueError, match='translation A2B has no ground truth.*testA2B'):
            evaluate(PixelAccuracy(), same_both_ways(1, random_image))
        small = same_both_ways(1, random_image, lambda index: random_image(0, (3, 3)))
        with pytest.raises(ValueError, match=r'A2B: .*\(6, 5, 3\), its ground truth \(3, 3, 3\)'):
            evaluate(PixelAccuracy(), small)
        for thresholds in ([], [-1], [255], [1.5]):
            with pytest.raises(ValueError, match='whole numbers in 0..254'):
                PixelAccuracy(thresholds=thresholds)


class TestContract(MetricContract):

    def build(self, **kwargs):
        return PixelAccuracy(thresholds=[100, 150], **kwargs)

    @pytest.fixture
    def samples(self):
        return same_both_ways(3, random_image, lambda index: random_image(10 + index))

    def values(self, image, ground_truth, exemplar):
        found = pixel_accuracy(image, ground_truth, [100, 150])
        return dict(pixel_accuracy_100=found[0], pixel_accuracy_150=found[1])
