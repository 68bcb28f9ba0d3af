# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What every metric of translations keeps; its test class inherits the tests."""
import numpy as np
import pytest
from translated import DIRECTIONS, evaluate, evaluate_on_two_ranks


class MetricContract:
    """Tests that are the same for all metrics of finished translations."""

    def build(self, **kwargs):
        """The metric, with the arguments that all metrics have."""
        raise NotImplementedError

    @pytest.fixture
    def samples(self):
        """An odd number of samples, as :func:`translated.make_batch` describes them."""
        raise NotImplementedError

    def values(self, image, ground_truth, exemplar):
        """What the function beside the class gives for one translation, by name."""
        raise NotImplementedError

    @pytest.fixture
    def expected(self, samples):
        """All figures, from the function alone."""
        figures = {}
        for direction in DIRECTIONS:
            values = [self.values(sample[direction], sample.get(f'gt_{direction}'),
                                  sample[direction[-1]]) for sample in samples]
            for name in values[0]:
                numbers = [value[name] for value in values]
                figures[f'{name}/{direction}_mean'] = np.mean(numbers)
                figures[f'{name}/{direction}_std'] = np.std(numbers)
        return figures

    @pytest.mark.parametrize('batch_size', [1, 2])
    def test_the_class_is_the_function(self, samples, expected, batch_size):
        metric = self.build()
        for _ in range(2):  # a second evaluation must not see the first one's results
            assert evaluate(metric, samples, batch_size) == pytest.approx(
                expected, rel=1e-5, abs=1e-12)

    def test_two_ranks(self, samples, expected, tmp_path):
        assert len(samples) % 2  # the padding, the first sample again, must not count
        for results in evaluate_on_two_ranks(self.build, samples, tmp_path):
            assert results == pytest.approx(expected, rel=1e-5, abs=1e-12)

    def test_nothing_to_evaluate(self):
        with pytest.raises(ValueError, match=f'{type(self.build()).__name__} has nothing to'):
            self.build().evaluate(3)

    def test_a_translation_of_a_wrong_shape(self, samples):
        samples[0]['A2B'] = samples[0]['A2B'][..., :1]
        with pytest.raises(ValueError, match=r'A2B.*: `fake_B` must have the shape \(3, H, W\)'):
            evaluate(self.build(), samples)
