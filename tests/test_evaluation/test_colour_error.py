# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from pathlib import Path

import numpy as np
import pytest
from metric_contract import MetricContract
from mmagic.registry import METRICS
from PIL import Image
from torch.utils.data import DataLoader
from translated import DIRECTIONS, evaluate, same_both_ways

from egscit_mm.datasets import ExemplarImageDataset
from egscit_mm.evaluation import SemanticColourError, class_colour_errors
from egscit_mm.evaluation.metrics.colour_error import CATEGORIES

SKY, ROAD, HUMAN = (CATEGORIES.index(name) for name in ('sky', 'flat', 'human'))
SIZE = (8, 12)


def labels_of(index):
    """Sky over a road; the last image shows somebody, too."""
    labels = np.full(SIZE, ROAD, np.uint8)
    labels[:2 + index] = SKY
    if index == 2:
        labels[-2:, :3] = HUMAN
    return labels


def painted(labels, **colours):
    image = np.zeros((*labels.shape, 3), np.uint8)
    for name, colour in colours.items():
        image[labels == CATEGORIES.index(name)] = colour
    return image


def truth_of(index):
    return painted(labels_of(index), sky=(80, 120, 240), flat=90, human=(200, 0, 0))


def noise(index):
    return np.random.RandomState(index).randint(0, 256, (*SIZE, 3)).astype(np.uint8)


class TestFunction:

    def test_only_the_class_whose_colour_is_wrong_has_an_error(self):
        labels = labels_of(2)
        image = painted(labels, sky=(80, 120, 240), flat=(100, 80, 120), human=(200, 0, 0))
        errors = class_colour_errors(image, truth_of(2), labels, 8)
        assert errors[SKY] == errors[HUMAN] == 0
        assert errors[ROAD] == pytest.approx((10 + 10 + 30) / 3)
        assert np.isnan(errors).sum() == 5

    def test_noise_and_places_within_a_class_do_not_count(self):
        labels = labels_of(0)
        image, noisy = (np.full((*SIZE, 3), 100, np.uint8) for _ in range(2))
        noisy[:, ::2] += 50
        noisy[:, 1::2] -= 50
        errors = class_colour_errors(noisy, image, labels, 8)
        assert errors[SKY] == errors[ROAD] == 0
        assert class_colour_errors(noisy[:, ::-1], noisy, labels, 8)[SKY] == 0

    def test_two_classes_that_are_exchanged(self):
        labels = labels_of(0)
        image = painted(labels, sky=10, flat=210)
        assert class_colour_errors(image, painted(labels, sky=210, flat=10), labels, 8)[
            [ROAD, SKY]].tolist() == [200, 200]

    def test_numpy(self):
        errors = class_colour_errors(noise(0), noise(1), labels_of(0), 8)
        for label in (ROAD, SKY):
            of_class = labels_of(0) == label
            means = [noise(seed)[of_class].mean(0) for seed in (0, 1)]
            assert errors[label] == pytest.approx(np.abs(means[0] - means[1]).mean())

    def test_errors(self):
        with pytest.raises(ValueError, match=r'one size, .*\(8, 12, 3\) and \(8, 11\)'):
            class_colour_errors(noise(0), noise(1), labels_of(0)[:, 1:], 8)
        with pytest.raises(ValueError, match='label 255 is none of the classes 0 to 7'):
            class_colour_errors(noise(0), noise(1), np.full(SIZE, 255, np.uint8), 8)


@pytest.fixture
def samples(tmp_path):
    found = same_both_ways(3, noise, truth_of)
    for index, sample in enumerate(found):
        for domain in 'AB':
            sample[f'img_{domain}_path'] = str(tmp_path / f'test{domain}' / f'{index}.png')
            path = tmp_path / f'test{domain}_labels8' / f'{index}.png'
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(labels_of(index)).save(path)
    return found


class TestMetric(MetricContract):

    def build(self, **kwargs):
        return METRICS.build(dict(type='SemanticColourError', **kwargs))

    @pytest.fixture
    def samples(self, samples):
        return samples

    @pytest.fixture
    def expected(self):
        errors = np.stack([class_colour_errors(noise(i), truth_of(i), labels_of(i), 8)
                           for i in range(3)])
        figures = {}
        for direction in DIRECTIONS:
            values = dict(colour_error=np.nanmean(errors, 1), colour_error_sky=errors[:, SKY],
                          colour_error_flat=errors[:, ROAD],
                          colour_error_human=errors[2:, HUMAN])  # one image has somebody
            for name, numbers in values.items():
                figures[f'{name}/{direction}_mean'] = numbers.mean()
                figures[f'{name}/{direction}_std'] = numbers.std()
        return figures

    def test_perfect_and_untranslated(self, samples):
        for sample in samples:
            sample['A2B'] = sample['gt_A2B']
        results = evaluate(self.build(), samples)
        perfect = {name: value for name, value in results.items() if 'A2B' in name}
        assert set(perfect.values()) == {0} and results['colour_error/B2A_mean'] > 20
        assert set(results) <= set(SemanticColourError.figure_names('AB', {}))

    def test_errors(self, samples):
        path = Path(samples[1]['img_B_path']).parents[1] / 'testB_labels8' / '1.png'
        path.unlink()
        with pytest.raises(ValueError, match=f'B2A.*{path} does not fit: the file does not exist'):
            evaluate(self.build(), samples)
        del samples[0]['gt_A2B']
        with pytest.raises(ValueError, match='has no ground truth'):
            evaluate(self.build(), samples)

    def test_missing_labels_are_found_before_the_first_image(self, tmp_path):
        for domain in 'AB':
            for folder in (f'test{domain}', f'test{domain}_labels8'):
                (tmp_path / folder).mkdir()
                for index in range(3):
                    Image.fromarray(np.zeros((4, 4), np.uint8)).save(
                        tmp_path / folder / f'{index}.png')
        dataset = ExemplarImageDataset(tmp_path, [], test_mode=True)
        metric = self.build()
        metric.prepare(None, DataLoader(dataset))
        assert metric.size == 3
        missing = tmp_path / 'testB_labels8' / '1.png'
        missing.unlink()
        with pytest.raises(ValueError, match=f'^SemanticColourError: {missing} does not exist '
                           r'\(1 of 6 label maps'):
            metric.prepare(None, DataLoader(dataset))
        (tmp_path / 'testB_labels8' / '2.png').unlink()
        with pytest.raises(ValueError, match=f'{missing} does not exist .2 of 6 label'):
            metric.prepare(None, DataLoader(dataset))
        # The other direction has no need of them.
        self.build(domains=('A', 'C')).prepare(None, DataLoader(dataset))
