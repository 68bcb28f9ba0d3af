# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Do translations have the exemplar's style, and nothing of its layout?"""
import cv2
import numpy as np
import pytest
import torch
from metric_contract import MetricContract
from mmagic.registry import METRICS
from torch import nn
from translated import DIRECTIONS, evaluate, same_both_ways

from egscit_mm.evaluation import TranslationLPIPS, content_leak, edge_map, retrieved
from egscit_mm.evaluation.functional.exemplar import GRID

SIZE = (32, 48)
NUMBER = 5


def squares(index, brightness=200):
    """A square of its own at a place of its own."""
    image = np.full((*SIZE, 3), 20, np.uint8)
    top, left = 2 + 4 * index, 3 + 7 * index
    image[top:top + 9, left:left + 11] = (brightness, 60, 50 * index)
    return image


def noise(index, of=1):
    return np.random.RandomState(10 * of + index).randint(0, 256, (*SIZE, 3)).astype(np.uint8)


def tinted(index, of=1):
    """Noise, whose colour tells the index."""
    return (noise(index, of) * np.array([0.2 + 0.15 * index, 0.5, 1 - 0.15 * index])).astype(
        np.uint8)


class TestRetrieved:
    exemplars = np.array([[0., 10.], [1., 10.], [2., 10.], [3., 10.]])

    def test_by_hand(self):
        # Nearest are the exemplars 0, 1, 3; a number that all exemplars share counts for nothing.
        translations = np.array([[0.2, 99.], [0.8, 0.], [2.9, 10.]])
        assert retrieved(translations, self.exemplars, np.array([0, 1, 3]), 3).all()
        assert not retrieved(translations, self.exemplars, np.array([1, 2, 0]), 3).any()

    def test_the_next_exemplars_are_the_others(self):
        # The nearest, 3, is not among the two after 1, but among those after 2, beyond the end.
        translations = np.array([[3.], [3.]])
        assert retrieved(translations, self.exemplars[:, :1], np.array([2, 2]), 1).tolist() == [
            False, False]
        assert retrieved(np.array([[1.4]]), self.exemplars[[0, 1, 3], :1], np.array([1]),
                         2).tolist() == [True]
        assert retrieved(np.array([[0.1]]), self.exemplars[:, :1], np.array([1]), 2).tolist() == [
            True]  # 0 is nearer, but only 2 and 3 follow

    def test_units_do_not_matter(self):
        rng = np.random.RandomState(0)
        translations, exemplars = rng.rand(20, 4), rng.rand(9, 4)
        own = np.arange(20) % 9
        found = retrieved(translations, exemplars, own, 3)
        scale = np.array([1, 100, 1e-3, 7])
        assert (retrieved(translations * scale, exemplars * scale, own, 3) == found).all()
        assert 0 < found.sum() < 20

    def test_equally_near_is_not_nearer(self):
        assert not retrieved(np.array([[0.]]), np.array([[1.], [-1.]]), np.array([0]), 1).any()

    def test_too_few(self):
        for num_others in (0, 4):
            with pytest.raises(ValueError, match=f'num_others={num_others}, .* lie in 1..3'):
                retrieved(self.exemplars, self.exemplars, np.arange(4), num_others)


class TestContentLeak:

    def test_edges(self):
        edges = edge_map(squares(1))
        assert edges.shape == (GRID**2, ) and edges.mean() == pytest.approx(0, abs=1e-6)
        assert np.linalg.norm(edges) == pytest.approx(1, rel=1e-5)
        # Another contrast, the same edges.
        assert edges @ edge_map(squares(1, 120)) > 0.9 > 0.5 > abs(edges @ edge_map(squares(3)))
        # The size of the image does not matter.
        large = cv2.resize(squares(1), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
        assert edges @ edge_map(large) > 0.7
        assert not edge_map(np.full((*SIZE, 3), 7, np.uint8)).any()

    def test_by_hand(self):
        maps = np.stack([edge_map(squares(index)) for index in range(4)])
        own = np.arange(4)
        copies = content_leak(maps, maps, own)
        alike = maps @ maps.T
        assert copies == pytest.approx(1 - (alike.sum(1) - 1) / 3, abs=1e-4) and copies.min() > 0.9
        # Another layout leaks nothing; that of another exemplar less than nothing.
        other = content_leak(np.stack([edge_map(noise(i)) for i in range(4)]), maps, own)
        assert np.abs(other).max() < 0.1
        assert content_leak(maps, maps, (own + 1) % 4).max() < 0

    def test_one_exemplar(self):
        with pytest.raises(ValueError, match='two different exemplars or more, got 1'):
            content_leak(np.eye(2), np.eye(2)[:1], np.array([0, 0]))


def with_paths(samples):
    """The fourth sample has the first one's exemplars again."""
    for index, sample in enumerate(samples):
        for domain in 'AB':
            sample[f'img_{domain}_path'] = f'test{domain}/{index % 3}.png'
            sample[domain] = samples[index % 3][domain]
    return samples


class TestContentLeakMetric(MetricContract):

    def build(self, **kwargs):
        return METRICS.build(dict(type='ContentLeak', **kwargs))

    @pytest.fixture
    def samples(self):
        """Half of the exemplar shows through."""
        return with_paths(same_both_ways(
            NUMBER, lambda i: (0.5 * noise(i) + 0.5 * squares(i)).astype(np.uint8), None, squares))

    @pytest.fixture
    def expected(self, samples):
        translations = np.stack([edge_map(sample['A2B']) for sample in samples])
        exemplars = np.stack([edge_map(squares(index)) for index in range(3)])
        values = content_leak(translations, exemplars, np.arange(NUMBER) % 3)
        return {f'content_leak/{direction}_{name}': number for direction in DIRECTIONS
                for name, number in (('mean', values.mean()), ('std', values.std()))}

    def test_yardsticks(self, samples):
        for index, sample in enumerate(samples):
            sample['A2B'] = sample['B']  # copied
            sample['B2A'] = noise(index)
        results = evaluate(self.build(), samples)
        assert results['content_leak/A2B_mean'] > 0.9
        assert abs(results['content_leak/B2A_mean']) < 0.1
        assert set(results) == set(type(self.build()).figure_names('AB', {}))


VGG = dict(pretrained=None, base_channels=2)


class TestExemplarRetrieval(MetricContract):

    def build(self, **kwargs):
        return METRICS.build(dict(type='ExemplarRetrieval', num_others=2, **VGG, **kwargs))

    @pytest.fixture
    def samples(self):
        """The second translation has the style of the third exemplar."""
        return with_paths(same_both_ways(
            NUMBER, lambda i: tinted(2 if i == 1 else i % 3, of=2), None, tinted))

    @pytest.fixture
    def expected(self):
        values = np.array([1, 0, 1, 1, 1])
        return {f'exemplar_retrieval/{direction}_{name}': number for direction in DIRECTIONS
                for name, number in (('mean', values.mean()), ('std', values.std()))}

    def test_statistics_are_those_of_the_features(self):
        metric = self.build()
        with torch.no_grad():
            metric._load()
            maps = metric.vgg(torch.from_numpy(noise(0)).permute(2, 0, 1)[None] / 127.5 - 1)
        expected = [np.concatenate([x.numpy().mean((2, 3))[0], x.numpy().std((2, 3))[0]])
                    for x in maps.values()]
        np.testing.assert_allclose(
            metric.describe([noise(0)])[0], np.concatenate(expected), rtol=1e-4, atol=1e-6)

    def test_errors(self, samples):
        with pytest.raises(ValueError, match='num_others must be .* at least 1, got 0'):
            METRICS.build(dict(type='ExemplarRetrieval', num_others=0))
        metric = METRICS.build(dict(type='ExemplarRetrieval', **VGG))
        with pytest.raises(ValueError, match='ExemplarRetrieval A2B: num_others=9, .* 3 different'):
            evaluate(metric, samples)
        # Before anything is translated.
        metric = METRICS.build(dict(type='ExemplarRetrieval', pretrained='none.pth'))
        with pytest.raises(FileNotFoundError, match="ExemplarRetrieval.pretrained='none.pth'"):
            metric.prepare(nn.Identity(), torch.utils.data.DataLoader(range(10)))
        with pytest.raises(ValueError, match='num_others=9, but the test set has only 9 samples'):
            metric.prepare(nn.Identity(), torch.utils.data.DataLoader(range(9)))


class MeanDistance(nn.Module):
    """The difference of two images' means."""

    def forward(self, images, others):
        assert images.shape[1:] == (3, *SIZE) and images.min() >= -1 and images.max() <= 1
        return (images - others).mean((1, 2, 3)).abs()


class TestTranslationLPIPS(MetricContract):

    def build(self, **kwargs):
        return TranslationLPIPS(distance=MeanDistance(), **kwargs)

    @pytest.fixture
    def samples(self):
        return same_both_ways(3, tinted, squares)

    def values(self, image, ground_truth, exemplar):
        return dict(lpips_ground_truth=abs(image.mean() - ground_truth.mean()) / 127.5)
