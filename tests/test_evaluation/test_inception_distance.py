# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import sys
from urllib.error import URLError

import numpy as np
import pytest
import torch
from metric_contract import MetricContract
from mmagic.registry import METRICS, MODELS
from scipy.linalg import sqrtm
from torch import nn
from translated import evaluate, same_both_ways

from egscit_mm.evaluation import InceptionFeatures, TranslationFID, TranslationKID

NUMBER = 12


def image(seed, size=(8, 10)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def fake(index):
    return image(100 + index) // 2


class Extractor(nn.Module):
    """Five features of each half of an image."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        assert not self.training and not self.weight.requires_grad
        return nn.functional.adaptive_avg_pool2d(images / 255, (1, 2)).flatten(1) @ self.weight


def features(images):
    with torch.no_grad():
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return Extractor().eval().requires_grad_(False)(batch).double().numpy()


def frechet_distance(real, fakes):
    """Heusel et al. 2017, Eq. 6."""
    covariances = [np.cov(array, rowvar=False) for array in (real, fakes)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    return ((real.mean(0) - fakes.mean(0))**2).sum() + np.trace(sum(covariances) - 2 * root)


def kernel_distance(real, fakes):
    """Binkowski et al. 2018, Eq. 4 with the kernel (x.y / D + 1)^3, pair by pair."""

    def mean_kernel(xs, ys, same):
        values = [(x @ y / len(x) + 1)**3 for i, x in enumerate(xs) for j, y in enumerate(ys)
                  if not (same and i == j)]
        return np.mean(values)

    return mean_kernel(real, real, True) + mean_kernel(fakes, fakes, True) - 2 * mean_kernel(
        real, fakes, False)


@pytest.fixture(scope='module')
def expected():
    real, fakes = (features([make(index) for index in range(NUMBER)]) for make in (image, fake))
    return dict(fid=frechet_distance(real, fakes), kid=kernel_distance(real, fakes))


def fid(**kwargs):
    return TranslationFID(extractor=Extractor(), **kwargs)


def kid(**kwargs):
    return TranslationKID(extractor=Extractor(), **{'subsets': 2, 'subset_size': NUMBER, **kwargs})


def samples(number=NUMBER):
    return same_both_ways(number, fake, exemplar=image)


class TestFID:

    def test_by_hand(self, expected):
        MODELS.register_module(name='TinyExtractor', module=Extractor, force=True)
        metric = METRICS.build(dict(type='TranslationFID', extractor=dict(type='TinyExtractor')))
        results = evaluate(metric, samples(), batch_size=5)
        assert expected['fid'] > 0.1
        assert results == pytest.approx(
            {'fid/A2B': expected['fid'], 'fid/B2A': expected['fid']}, rel=1e-5)

    def test_identical_sets(self):
        results = evaluate(fid(), same_both_ways(NUMBER, image))
        assert results == pytest.approx({'fid/A2B': 0, 'fid/B2A': 0}, abs=1e-6)

    def test_directions_are_kept_apart(self):
        both = [dict(sample, B2A=sample['A']) for sample in samples()]
        results = evaluate(fid(), both)
        assert results['fid/A2B'] > 0.1
        assert results['fid/B2A'] == pytest.approx(0, abs=1e-6)

    def test_images_of_other_sizes(self, expected):
        mixed = samples()
        for sample in mixed[::2]:
            sample.update(A2B=sample['A2B'].repeat(2, 0), B=sample['B'].repeat(3, 0).repeat(3, 1))
        # The extractor sees the same: its pooling averages over the repeated pixels.
        results = evaluate(fid(), mixed, batch_size=4)
        assert results['fid/A2B'] == pytest.approx(expected['fid'], rel=1e-5)

    def test_real_images_count_once(self, expected):
        more = samples()
        for index, sample in enumerate(more):
            sample.update(img_A_path=f'testA/{index}.png', img_B_path=f'testB/{index % 7}.png',
                          B=image(index % 7))
        real = features([image(index) for index in range(7)])
        fakes = features([fake(index) for index in range(NUMBER)])
        results = evaluate(fid(), more)
        assert results['fid/A2B'] == pytest.approx(frechet_distance(real, fakes), rel=1e-5)
        assert results['fid/B2A'] == pytest.approx(expected['fid'], rel=1e-5)

    def test_errors(self):
        with pytest.raises(ValueError, match='A2B needs two images .* 1 translations and 1 real'):
            evaluate(fid(), samples(1))
        with pytest.raises(ValueError, match=r'\(N, D\), but gave \(2, 3, 8, 10\)'):
            evaluate(TranslationFID(extractor=nn.Identity()), samples(2))


class TestKID:

    def test_by_hand(self, expected):
        results = evaluate(kid(), samples())
        assert abs(expected['kid']) > 0.01
        for direction in ('A2B', 'B2A'):
            # Every subset is the whole set.
            assert results[f'kid/{direction}_mean'] == pytest.approx(expected['kid'], rel=1e-4)
            assert results[f'kid/{direction}_std'] == pytest.approx(0, abs=1e-9)

    def test_a_set_that_is_too_small_is_refused_before_it_is_translated(self):
        loader = torch.utils.data.DataLoader(range(11))
        with pytest.raises(ValueError, match='KID: subset_size=12, but the test set has only 11'):
            kid().prepare(nn.Identity(), loader)
        with pytest.raises(ValueError, match='FID: it needs two or more, .* has only 1 samples'):
            fid().prepare(nn.Identity(), torch.utils.data.DataLoader(range(1)))

    def test_subsets_are_drawn_without_side_effect(self):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        first, second = (evaluate(kid(subsets=5, subset_size=6), samples()) for _ in range(2))
        assert first == second and first['kid/A2B_std'] > 0
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(6)
        assert evaluate(kid(subsets=5, subset_size=6), samples()) == first

    def test_too_few_images(self):
        with pytest.raises(ValueError, match='subset_size=12 is more than .* 3 translations and 3'):
            evaluate(kid(), samples(3))


def by_hand(distance):
    return distance(*(features([make(index) for index in range(7)]) for make in (image, fake)))


class TestFIDContract(MetricContract):
    build = staticmethod(fid)

    @pytest.fixture
    def samples(self):
        return samples(7)

    @pytest.fixture
    def expected(self):
        return {f'fid/{direction}': by_hand(frechet_distance) for direction in ('A2B', 'B2A')}


class TestKIDContract(TestFIDContract):

    def build(self, **kwargs):
        return kid(subset_size=7, **kwargs)  # all images: every subset is the same

    @pytest.fixture
    def expected(self):
        value = by_hand(kernel_distance)
        return {f'kid/{direction}_{name}': number for direction in ('A2B', 'B2A')
                for name, number in dict(mean=value, std=0).items()}


class TestInceptionFeatures:

    @pytest.fixture(scope='class')
    def weights(self, tmp_path_factory):
        """torch-fidelity's network with random weights as a file."""
        from torch_fidelity import feature_extractor_inceptionv3 as module
        path = tmp_path_factory.mktemp('weights') / 'inception.pth'
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, 'load_state_dict_from_url', lambda *args, **kwargs: {})
            patch.setattr(module.FeatureExtractorInceptionV3, 'load_state_dict',
                          lambda self, state: None)
            network = InceptionFeatures().network
        torch.save(network.half().state_dict(), path)
        return path

    def test_local_weights(self, weights):
        metric = METRICS.build(dict(
            type='TranslationFID', extractor=dict(type='InceptionFeatures', weights=str(weights))))
        state = torch.load(weights, weights_only=True)
        loaded = metric.extractor.network.state_dict()
        assert state.keys() == loaded.keys()
        assert all(torch.equal(state[key].to(loaded[key]), loaded[key]) for key in state)
        found = metric.extractor(torch.from_numpy(image(0)[None]).permute(0, 3, 1, 2))
        assert found.shape == (1, 2048) and found.std() > 0

    def test_wrong_files(self, tmp_path, monkeypatch):
        path = tmp_path / 'wrong.pth'
        with pytest.raises(FileNotFoundError, match='wrong.pth.* should be weights-inception'):
            InceptionFeatures(str(path))
        torch.save({'weight': torch.zeros(1)}, path)
        with pytest.raises(ValueError, match=r"wrong.pth does not hold .* torch-fidelity"):
            InceptionFeatures(str(path))

    def test_weights_that_run_code_are_refused(self, tmp_path):
        path, traces = tmp_path / 'evil.pth', tmp_path / 'traces'

        class Evil:

            def __reduce__(self):
                return open, (str(traces), 'w')

        torch.save(Evil(), path)
        with pytest.raises(RuntimeError, match='evil.pth holds the Python object'):
            InceptionFeatures(str(path))
        assert not traces.exists()

    def test_no_network(self, monkeypatch):
        def offline(*args, **kwargs):
            raise URLError('no network')

        monkeypatch.setattr(
            'torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url', offline)
        with pytest.raises(FileNotFoundError, match='no network.* get https://.* put the file at '
                           '.*weights-inception-2015-12-05.* or set `weights`'):
            TranslationFID()


@pytest.mark.parametrize('library, build', [
    ('torchmetrics', fid),
    ('torch_fidelity', InceptionFeatures),
])
def test_missing_library(library, build, monkeypatch):
    for name in [name for name in sys.modules if name.partition('.')[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=library + r'.*pip install "egscit_mm\[eval'):
        build()
