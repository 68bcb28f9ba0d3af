# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from mmagic.datasets.transforms import PackInputs
from mmagic.registry import METRICS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models import alexnet

from egscit_mm.evaluation import ExemplarDiversity, LPIPSDistance, LPIPSDiversity

CONFIG = Path(__file__).parents[2] / 'configs' / 'egscit' / 'egscit_quickstart.py'
PREPROCESSOR = dict(
    type='mmagic.DataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, output_channel_order='RGB',
    data_keys=None)
NUMBER = 5


class Mixer(BaseModel):
    """Multiplies the content with the exemplar's mean colour, differently for each domain."""

    factors = dict(A=0.5, B=2.)

    def __init__(self):
        super().__init__(dict(PREPROCESSOR))
        self.calls = 0

    def translation(self, image, target_domain=None, exemplar=None, source_domain=None):
        assert {target_domain, source_domain} == {'A', 'B'}
        self.calls += len(image)
        colour = exemplar.mean((2, 3), keepdim=True)
        return image * colour * self.factors[target_domain]

    def forward(self, inputs, data_samples, mode):
        return data_samples.split()


class MeanDistance(nn.Module):

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1., 2., 4.]))

    def forward(self, images, others):
        assert not self.training and not torch.is_grad_enabled()
        return ((images - others).abs().mean((2, 3)) * self.weight).sum(1)


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, (6, 7, 3)).astype(np.uint8)


def dataset(number=NUMBER):
    pack = PackInputs(keys=['img_A', 'img_B'])
    return [pack(dict(img_A=image(2 * i), img_B=image(2 * i + 1))) for i in range(number)]


def mean_distance(images):
    """Of all pairs, as :class:`MeanDistance` has it; images (H, W, RGB)."""
    return np.mean([(np.abs(a - b).mean((0, 1)) * [1, 2, 4]).sum()
                    for a, b in combinations(images, 2)])


def expected_values(number=NUMBER, exemplars=(0, 2, 4), contents=NUMBER):
    """The same by hand; images are BGR in the data set, the weights are for RGB."""
    values, apart = {}, {}
    for shift, (direction, factor) in enumerate([('A2B', 2.), ('B2A', 0.5)]):
        content = [image(2 * i + shift)[..., ::-1] / 127.5 - 1 for i in range(contents)]
        exemplar = [image(2 * i + 1 - shift)[..., ::-1] / 127.5 - 1 for i in exemplars]
        for x in content:
            translations = [x * e.mean((0, 1)) * factor for e in exemplar]
            values.setdefault(direction, []).append(mean_distance(translations))
        apart[direction] = [mean_distance(exemplar)]
    return {
        f'{figure}/{direction}_{name}': statistic(numbers)
        for figure, both in (('lpips_diversity', values), ('lpips_diversity_of_exemplars', apart))
        for direction, numbers in both.items()
        for name, statistic in (('mean', np.mean), ('std', np.std))
    }


def diversity(**kwargs):
    return LPIPSDiversity(distance=MeanDistance(), **{'num_exemplars': 3, **kwargs})


def run(metric, samples, model=None):
    """As MMagic's loops do."""
    loader = DataLoader(samples, batch_size=2, collate_fn=pseudo_collate)
    metric.prepare(model or Mixer(), loader)
    for batch in loader:
        metric.process(batch, [sample.to_dict() for sample in batch['data_samples']])
    return metric.evaluate()


class TestMetric:

    def test_by_hand(self):
        MODELS.register_module(name='MeanDistance', module=MeanDistance, force=True)
        metric = METRICS.build(dict(
            type='LPIPSDiversity', num_exemplars=3, distance=dict(type='MeanDistance')))
        expected = expected_values()
        assert min(value for name, value in expected.items() if 'exemplars' not in name) > 0.01
        for _ in range(2):
            assert run(metric, dataset()) == pytest.approx(expected, rel=1e-5, abs=1e-6)

    def test_a_model_that_ignores_the_exemplar(self):

        class Copier(Mixer):

            def translation(self, image, target_domain=None, exemplar=None, source_domain=None):
                return image

        results = run(diversity(), dataset(), Copier())
        assert {value for name, value in results.items() if 'of_ex' not in name} == {0}
        assert results['lpips_diversity_of_exemplars/A2B_mean'] > 0.1

    def test_a_model_that_takes_no_exemplar(self):
        """Such as MMagic's CycleGAN: nothing has to be translated."""

        class CycleGAN(Mixer):

            def translation(self, image, target_domain=None, **kwargs):
                raise AssertionError

        results = run(diversity(), dataset(), CycleGAN())
        assert results.keys() == expected_values().keys()
        assert results['lpips_diversity/A2B_mean'] == 0

    def test_first_contents_only(self):
        model = Mixer()
        results = run(diversity(num_contents=3), dataset(), model)
        assert results == pytest.approx(expected_values(contents=3), rel=1e-5, abs=1e-6)
        assert model.calls == 2 * 3 * 4  # directions, exemplars, contents in whole batches

    def test_all_contents(self):
        results = run(diversity(num_contents=None), dataset())
        assert results == pytest.approx(expected_values(), rel=1e-5, abs=1e-6)

    def test_in_mmagic_loop(self, tmp_path):
        runner = Runner(
            model=Mixer(),
            work_dir=str(tmp_path),
            val_dataloader=dict(
                dataset=dataset(), batch_size=2,
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='pseudo_collate')),
            val_cfg=dict(type='MultiValLoop'),
            val_evaluator=dict(type='Evaluator', metrics=[diversity()]),
            default_scope='mmagic',
            log_level='ERROR',
            experiment_name='diversity')
        results = {}
        runner.call_hook = lambda name, **kwargs: results.update(kwargs.get('metrics') or {})
        runner.val()
        assert results == pytest.approx(expected_values(), rel=1e-5, abs=1e-6)

    def test_egscit(self):
        cfg = Config.fromfile(CONFIG)
        cfg.merge_from_dict({
            f'model.generator.{part}.{key}': value for part in ('encoder', 'decoder')
            for key, value in dict(base_channels=4, num_blocks=1).items()
        })
        model = MODELS.build(dict(cfg.model, discriminator=None, perceptual_loss=None)).eval()
        results = run(diversity(), dataset(), model)
        assert all(value > 0 for name, value in results.items() if name.endswith('_mean'))

    def test_errors(self):
        with pytest.raises(ValueError, match='num_exemplars must be .* at least 2, got 1'):
            diversity(num_exemplars=1)
        with pytest.raises(ValueError, match='num_exemplars=3, but .* only 2 samples'):
            run(diversity(), dataset(2))
        with pytest.raises(RuntimeError, match="no model .*MultiValLoop"):
            diversity().process(pseudo_collate(dataset(1)), [{}])

        with pytest.raises(ValueError, match='that translates.*but Identity has no method transl'):
            run(diversity(), dataset(), nn.Identity())


def evaluate_on_rank(rank, folder, num_contents):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    metric = diversity(num_contents=num_contents, collect_dir=str(folder / 'collect'))
    samples = dataset()
    metric.prepare(Mixer(), DataLoader(samples))
    # As DefaultSampler does: every other sample, and the set padded from its start.
    for sample in [*samples, samples[0]][rank::2]:
        metric.process(pseudo_collate([sample]), [{}])
    (folder / f'{rank}.json').write_text(json.dumps(metric.evaluate(NUMBER)))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize('num_contents', [3, 100])
def test_two_processes(num_contents, tmp_path):
    mp.start_processes(
        evaluate_on_rank, (tmp_path, num_contents), nprocs=2, start_method='fork')
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == pytest.approx(
            expected_values(contents=min(num_contents, NUMBER)), rel=1e-5, abs=1e-6)


# --------------------------------------------------------------------------------- in pixels
def flat(*colours):
    """Samples whose image i of A and B has the colour i, grey levels of 0..255; B is wider."""
    pack = PackInputs(keys=['img_A', 'img_B'])
    return [pack({f'img_{domain}': np.full((4, width, 3), colour, np.uint8)
                  for domain, width in (('A', 4), ('B', 4 + index))})
            for index, colour in enumerate(colours)]


class TakesColour(Mixer):
    """Half of the content and half of the exemplar's colour; 1.2 times that to domain A."""

    def translation(self, image, target_domain=None, exemplar=None, source_domain=None):
        factor = 1.2 if target_domain == 'A' else 1
        return factor * (image / 2 + exemplar.mean((1, 2, 3), keepdim=True) / 2)


def test_pixels_by_hand():
    metric = METRICS.build(dict(type='ExemplarDiversity', num_exemplars=3))
    results = run(metric, flat(0, 51, 255), TakesColour())
    # Pairs of exemplars differ by 51, 255 and 204 of 255: 170 on average.
    assert results['diversity_of_exemplars/A2B_mean'] == pytest.approx(170, rel=1e-5)
    assert results['diversity_of_exemplars/A2B_std'] == pytest.approx(0, abs=1e-5)
    assert results['diversity/A2B_mean'] == pytest.approx(85, rel=1e-5)
    assert results['diversity/A2B_std'] == pytest.approx(0, abs=1e-4)
    # To A, 1.2 * 85 = 102, but of the content 0 (-1) all colours below -2/3 become black, of 255
    # those above 2/3 become white: -1.2, -0.96, 0 for 0; -0.96, -0.72, 0.24 for 51; 0, 0.24, 1.2.
    by_content = [127.5 * 2 / 3, 127.5 * 0.8, 127.5 * 2 / 3]
    assert results['diversity/B2A_mean'] == pytest.approx(np.mean(by_content), rel=1e-5)
    assert results['diversity/B2A_std'] == pytest.approx(np.std(by_content), rel=1e-4)


def test_pixels_with_a_network():
    metric = ExemplarDiversity(num_exemplars=3, distance=MeanDistance())
    results = run(metric, dataset())
    expected = {name.removeprefix('lpips_'): value for name, value in expected_values().items()}
    assert results == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert set(results) == set(ExemplarDiversity.figure_names('AB', {}))


class TestLPIPSDistance:

    @pytest.fixture(scope='class')
    def weights(self, tmp_path_factory):
        """torchvision's AlexNet with random weights as a file; only its convolutions."""
        path = tmp_path_factory.mktemp('weights') / 'alexnet.pth'
        torch.manual_seed(0)
        features = alexnet(weights=None).features
        torch.save({f'features.{key}': value for key, value in features.state_dict().items()},
                   path)
        return path

    def test_parity_with_torchmetrics(self, weights):
        distance = MODELS.build(dict(type='LPIPSDistance', weights=str(weights))).eval()
        from torchmetrics.functional.image.lpips import _LPIPS  # takes seconds
        reference = _LPIPS(net='alex', pnet_rand=True)
        state = torch.load(weights, weights_only=True)
        reference.net.load_state_dict({
            key: state['features.' + key.partition('.')[2]] for key in reference.net.state_dict()
        })
        images, others = torch.rand(2, 3, 3, 70, 66) * 2 - 1
        with torch.no_grad():
            found = distance(images, others)
            torch.testing.assert_close(found, reference(images, others).flatten())
            assert found.shape == (3, ) and found.min() > 1e-4
            torch.testing.assert_close(distance(others, images), found)
            assert distance(images, images).tolist() == [0, 0, 0]

    def test_small_images_are_enlarged(self, weights):
        distance = LPIPSDistance(weights=str(weights))
        images, others = torch.rand(2, 1, 3, 28, 35) * 2 - 1
        large = [nn.functional.interpolate(x, (64, 80), mode='bilinear') for x in (images, others)]
        with torch.no_grad():
            torch.testing.assert_close(distance(images, others), distance(*large))

    def test_errors(self, weights, tmp_path, monkeypatch):
        with pytest.raises(ValueError, match=r"one of \['alex', 'vgg', 'squeeze'\], got 'vgg19'"):
            LPIPSDistance(net='vgg19')
        with pytest.raises(FileNotFoundError, match="weights='none.pth' does not exist.*alexnet"):
            LPIPSDistance(weights='none.pth')
        with pytest.raises(ValueError, match="alexnet.pth does not fit net='squeeze': features"):
            LPIPSDistance(net='squeeze', weights=str(weights))
        torch.save([1], tmp_path / 'list.pth')
        with pytest.raises(ValueError, match='list.pth holds a list'):
            LPIPSDistance(weights=str(tmp_path / 'list.pth'))

        def offline(*args, **kwargs):
            raise OSError('no network')

        monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', offline)
        with pytest.raises(FileNotFoundError, match='no network.*put the file at .*alexnet-owt'):
            LPIPSDistance()
