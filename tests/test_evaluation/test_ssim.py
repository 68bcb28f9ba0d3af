# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from metric_contract import MetricContract
from mmagic.datasets.transforms import PackInputs
from mmagic.evaluation import Evaluator as MMagicEvaluator
from mmagic.registry import METRICS
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator as MMEngineEvaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader
from translated import same_both_ways

from egscit_mm.evaluation import ExemplarSSIM, TranslationMetric, TranslationSSIM, ssim

DIRECTIONS = ('A2B', 'B2A')


def slow_ssim(image, reference):
    """Wang et al. 2004, Eq. 13, window by window: uniform 7x7, sample (co)variances."""
    image, reference = image.astype(np.float64), reference.astype(np.float64)
    c1, c2 = (0.01 * 255)**2, (0.03 * 255)**2
    height, width, channels = image.shape
    values = []
    for channel in range(channels):
        for top in range(height - 6):
            for left in range(width - 6):
                x = image[top:top + 7, left:left + 7, channel].ravel()
                y = reference[top:top + 7, left:left + 7, channel].ravel()
                (var_x, cov), (_, var_y) = np.cov(x, y)
                values.append((2 * x.mean() * y.mean() + c1) * (2 * cov + c2) /
                              ((x.mean()**2 + y.mean()**2 + c1) * (var_x + var_y + c2)))
    return np.mean(values)


def random_image(seed, size=(12, 15)):
    """A HxWx3 uint8 image with some structure, so that the SSIM of two of them is not all noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3)).repeat(4, 0).repeat(4, 1)[:size[0], :size[1]]
    return np.clip(coarse + rng.integers(-20, 20, (*size, 3)), 0, 255).astype(np.uint8)


def make_dataset(number, ground_truth=True):
    """Packed samples as the test pipeline makes them (BGR); ``fakes`` are BGR float tensors."""
    pack = PackInputs(
        keys=['img_A', 'img_B'],
        data_keys=['gt_A2B', 'gt_B2A'],
        meta_keys=['img_A_path', 'img_B_path', 'sample_idx'])
    samples = []
    for index in range(number):
        results = dict(img_A_path=f'testA/{index}.png', img_B_path=f'testB/{index}.png')
        results['sample_idx'] = index
        for offset, key in enumerate(['img_A', 'img_B', 'gt_A2B', 'gt_B2A']):
            if ground_truth or not key.startswith('gt'):
                results[key] = random_image(10 * index + offset)
        samples.append(pack(results))
    return samples


def fake_image(index, domain):
    """What the pretended model paints: HxWx3 uint8."""
    return random_image(1000 + 10 * index + 'AB'.index(domain))


def translate(data_samples):
    """The pretended model: add the translations to the data samples."""
    for sample in data_samples:
        for domain in 'AB':
            image = torch.from_numpy(fake_image(sample.sample_idx, domain)).permute(2, 0, 1)
            # Less than half a grey level off: must vanish when rounded as in a saved file.
            sample.set_tensor_data({f'fake_{domain}': image + 0.3})
    return data_samples


def expected_values(number):
    """SSIM of every image by metric and direction, from the slow implementation."""
    values = {}
    for index in range(number):
        content_a, content_b, gt_a2b, gt_b2a = (random_image(10 * index + i) for i in range(4))
        del content_a, content_b
        exemplars = dict(A2B=random_image(10 * index + 1), B2A=random_image(10 * index))
        truths = dict(A2B=gt_a2b, B2A=gt_b2a)
        for direction in DIRECTIONS:
            fake, truth = fake_image(index, direction[-1]), truths[direction]
            for name, pair in dict(
                    ssim_exemplar=(fake, exemplars[direction]),
                    ceiling_exemplar=(truth, exemplars[direction]),
                    ssim_ground_truth=(fake, truth)).items():
                values.setdefault(f'{name}/{direction}', []).append(slow_ssim(*pair))
    return values


def expected_metrics(number):
    metrics = {}
    for name, values in expected_values(number).items():
        mean = sum(values) / number
        metrics[f'{name}_mean'] = mean
        metrics[f'{name}_std'] = (sum((value - mean)**2 for value in values) / number)**0.5
    return metrics


def one_batch(**changes):
    """A batch of one sample and its output, with single entries replaced (None: left out)."""
    batch = pseudo_collate(make_dataset(1))
    sample = translate(batch['data_samples'])[0].to_dict()
    for key, value in changes.items():
        if key in batch['inputs']:
            batch['inputs'][key] = [value]
        elif value is None:
            del sample[key]
        else:
            sample[key] = value
    return batch, [sample]


class TestFunction:

    @pytest.mark.parametrize('size', [(7, 7), (7, 9), (12, 15)])
    def test_slow_numpy(self, size):
        image, reference = random_image(0, size), random_image(1, size)
        assert ssim(image, reference) == pytest.approx(slow_ssim(image, reference), abs=1e-10)
        assert ssim(reference, image) == pytest.approx(ssim(image, reference), abs=1e-12)

    def test_identical_images(self):
        assert ssim(random_image(0), random_image(0)) == pytest.approx(1, abs=1e-12)

    def test_constant_images(self):
        # Without variance only the luminance term remains: (2ab + C1) / (a^2 + b^2 + C1).
        black, grey = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 100, np.uint8)
        assert ssim(black, grey) == pytest.approx(6.5025 / (10000 + 6.5025), rel=1e-9)

    def test_channels_are_averaged(self):
        image, reference = random_image(0), random_image(0)
        reference[..., 1] = 255 - reference[..., 1]
        changed = slow_ssim(image[..., 1:2], reference[..., 1:2])
        assert changed < 0
        assert ssim(image, reference) == pytest.approx((2 + changed) / 3, abs=1e-10)

    def test_errors(self):
        image = random_image(0)
        with pytest.raises(ValueError, match=r'\(12, 15, 3\) and \(15, 12, 3\)'):
            ssim(image, image.transpose(1, 0, 2))
        with pytest.raises(ValueError, match=r'at least 7, but got \(6, 15, 3\)'):
            ssim(image[:6], image[:6])
        with pytest.raises(ValueError, match=r'shape \(H, W, C\).*\(12, 15\)'):
            ssim(image[..., 0], image[..., 0])
        with pytest.raises(TypeError, match='float32'):
            ssim(image, image.astype(np.float32))


class Painter(BaseModel):

    def forward(self, inputs, data_samples, mode):
        return translate(data_samples)


def run_mmengine_evaluator(metrics, dataset):
    evaluator = MMEngineEvaluator(metrics)
    for data_batch in DataLoader(dataset, batch_size=2, collate_fn=pseudo_collate):
        evaluator.process(translate(data_batch['data_samples']), data_batch)
    return evaluator.evaluate(len(dataset))


class TestMetrics:

    def test_mmengine_evaluator(self):
        metrics = [METRICS.build(dict(type='ExemplarSSIM')), TranslationSSIM()]
        results = run_mmengine_evaluator(metrics, make_dataset(3))
        assert results == pytest.approx(expected_metrics(3), abs=1e-10)
        assert len(results) == 12

    def test_mmagic_evaluator(self):
        dataset = make_dataset(3)
        loader = DataLoader(dataset, batch_size=2, collate_fn=pseudo_collate)
        evaluator = MMagicEvaluator([ExemplarSSIM(), TranslationSSIM()])
        evaluator.prepare_metrics(Painter(), loader)
        # Both metrics share one pass over the data.
        (metrics, sampler), = evaluator.prepare_samplers(Painter(), loader)
        for _ in range(2):  # a second evaluation must not see the first one's results
            for data_batch in sampler:
                evaluator.process(translate(data_batch['data_samples']), data_batch, metrics)
            assert evaluator.evaluate() == pytest.approx(expected_metrics(3), abs=1e-10)

    @pytest.mark.parametrize('loop', ['ValLoop', 'MultiValLoop'])
    def test_in_runner(self, loop, tmp_path):
        metrics = [dict(type='ExemplarSSIM', prefix='digits'), dict(type='TranslationSSIM')]
        runner = Runner(
            model=Painter(),
            work_dir=str(tmp_path),
            val_dataloader=dict(
                dataset=make_dataset(3),
                batch_size=2,
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='pseudo_collate')),
            val_cfg=dict(type=loop),
            val_evaluator=metrics if loop == 'ValLoop' else dict(type='Evaluator', metrics=metrics),
            default_scope='mmagic',
            log_level='ERROR',
            experiment_name=f'ssim_{loop}')
        results = {}
        runner.call_hook = lambda name, **kwargs: results.update(kwargs.get('metrics') or {})
        runner.val()
        expected = {
            name if name.startswith('ssim_ground_truth') else f'digits/{name}': value
            for name, value in expected_metrics(3).items()
        }
        assert results == pytest.approx(expected, abs=1e-10)

    def test_perfect_translation(self):
        # Scored against its ground truth it gets 1; against the exemplar, exactly the ceiling.
        batch, samples = one_batch()
        for direction in DIRECTIONS:
            samples[0][f'fake_{direction[-1]}'] = samples[0][f'gt_{direction}'].float()
        exemplar, truth = ExemplarSSIM(), TranslationSSIM()
        for metric in (exemplar, truth):
            metric.process(batch, samples)
        scores = exemplar.evaluate(1)
        for direction in DIRECTIONS:
            assert scores[f'ssim_exemplar/{direction}_mean'] == scores[
                f'ceiling_exemplar/{direction}_mean'] < 0.9
        assert truth.evaluate(1)['ssim_ground_truth/A2B_mean'] == pytest.approx(1)

    def test_without_ground_truth(self):
        results = run_mmengine_evaluator([ExemplarSSIM()], make_dataset(2, ground_truth=False))
        assert sorted(results) == [
            'ssim_exemplar/A2B_mean', 'ssim_exemplar/A2B_std', 'ssim_exemplar/B2A_mean',
            'ssim_exemplar/B2A_std'
        ]
        with pytest.raises(ValueError, match=r'testA/0.png.* no ground truth.*gt_A2B.*testA2B'):
            run_mmengine_evaluator([TranslationSSIM()], make_dataset(2, ground_truth=False))

    def test_some_ground_truths_missing(self):
        metric = ExemplarSSIM()
        metric.process(*one_batch())
        metric.process(*one_batch(gt_B2A=None))
        with pytest.raises(ValueError, match='only 1 of 2 samples .* ceiling_exemplar/B2A'):
            metric.evaluate(2)

    def test_other_domain_names(self):
        metric = ExemplarSSIM(domains=('gta2', 'bdd'))
        image = torch.from_numpy(random_image(3)).permute(2, 0, 1)
        inputs = {'img_gta2': [image], 'img_bdd': [image]}
        metric.process(dict(inputs=inputs), [dict(fake_gta2=image, fake_bdd=image)])
        assert metric.evaluate(1)['ssim_exemplar/gta22bdd_mean'] == pytest.approx(1)
        for domains in ['AB', ('A', ), ('A', 'A')]:
            with pytest.raises(ValueError, match='at least 2 different names'):
                ExemplarSSIM(domains=domains)

    def test_images_handed_to_subclasses(self):

        class Recorder(TranslationMetric):

            def measure(self, image):
                images[image.direction] = image
                return {}

        images = {}
        fake = torch.tensor([254.6, -3., 300.]).view(3, 1, 1).expand(3, 8, 9).clone()
        before = fake.clone()
        exemplar = torch.tensor([1, 2, 3], dtype=torch.uint8).view(3, 1, 1).expand(3, 8, 9)
        batch, samples = one_batch(
            fake_B=fake, img_B=exemplar, gt_A2B=exemplar, img_B_channel_order='rgb')
        Recorder().process(batch, samples)
        a2b = images['A2B']
        assert a2b.translation.shape == (8, 9, 3)
        assert a2b.translation.dtype == np.uint8
        assert a2b.translation[0, 0].tolist() == [255, 0, 255]  # RGB, rounded, clipped
        assert a2b.exemplar[0, 0].tolist() == [1, 2, 3]  # was RGB already
        assert a2b.ground_truth[0, 0].tolist() == [3, 2, 1]  # was BGR
        assert a2b.sample['img_A_path'] == 'testA/0.png'
        assert images['B2A'].exemplar.tolist() == random_image(0)[..., ::-1].tolist()
        assert torch.equal(fake, before)

    def test_errors(self):
        small = torch.zeros(3, 10, 10)
        name = r'A2B of testA/0.png with exemplar testB/0.png'
        cases = [
            (dict(fake_B=small),
             rf'{name}: cannot compare translation with exemplar.*\(10, 10, 3\) and \(12, 15, 3\)'),
            (dict(gt_A2B=small), rf'{name}: cannot compare ground_truth with exemplar'),
            (dict(fake_B=small[:, :6], img_B=small[:, :6]), rf'{name}.*at least 7.*\(6, 10, 3\)'),
            (dict(fake_B=small / 0), rf'{name}: `fake_B` holds NaN'),
            (dict(fake_B=small[:1]), rf'{name}: `fake_B` must .*\(1, 10, 10\)'),
            (dict(fake_B=None), r'no translation `fake_B`.*fake_A'),
        ]
        for changes, message in cases:
            with pytest.raises(ValueError, match=message):
                ExemplarSSIM().process(*one_batch(**changes))
        # Paths are named where they are known only.
        with pytest.raises(ValueError, match=r'^translation A2B: cannot compare'):
            ExemplarSSIM().process(*one_batch(fake_B=small, img_A_path=None))
        batch, samples = one_batch()
        del batch['inputs']['img_B']
        with pytest.raises(ValueError, match='no exemplar `inputs/img_B`'):
            ExemplarSSIM().process(batch, samples)
        with pytest.raises(ValueError, match='needs the number of samples'):
            ExemplarSSIM().evaluate()


class TestExemplarContract(MetricContract):

    def build(self, **kwargs):
        return ExemplarSSIM(**kwargs)

    @pytest.fixture
    def samples(self):
        return same_both_ways(3, random_image, lambda index: random_image(10 + index),
                              lambda index: random_image(20 + index))

    def values(self, image, ground_truth, exemplar):
        return dict(ssim_exemplar=ssim(image, exemplar),
                    ceiling_exemplar=ssim(ground_truth, exemplar))


class TestGroundTruthContract(TestExemplarContract):

    def build(self, **kwargs):
        return TranslationSSIM(**kwargs)

    def values(self, image, ground_truth, exemplar):
        return dict(ssim_ground_truth=ssim(image, ground_truth))
