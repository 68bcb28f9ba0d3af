# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from pathlib import Path

import numpy as np
import pytest
import torch
from metric_contract import MetricContract
from mmagic.registry import METRICS, MODELS
from mmengine.config import Config
from PIL import Image
from tiny_models import SEGMENTER
from torch import nn
from translated import evaluate, same_both_ways

from egscit_mm.evaluation import MMSegmenter, TranslationMIoU, class_iou, confusion_matrix
from egscit_mm.evaluation.metrics.content_labels import CLASSES as CLASSES_OF

REPOSITORY = Path(__file__).parents[2]
IGNORE = 255
SIZE = (6, 8)
NUMBER = 3
CLASSES = CLASSES_OF['labels19']


def random_classes(seed, classes):
    return np.random.default_rng(seed).choice(classes, SIZE).astype(np.uint8)


def label_of(index):
    return random_classes(index, [0, 2, 7, 10, IGNORE])


def prediction_of(index):
    """Half right; class 13 is in no label, and 15 is nowhere."""
    label = label_of(index)
    other = random_classes(50 + index, [0, 2, 10, 13])
    right = np.random.default_rng(90 + index).random(SIZE) < 0.5
    return np.where(right & (label != IGNORE), label, other).astype(np.uint8)


class GreySegmenter(nn.Module):
    """Takes the grey value of a pixel, 10 per class, for its class."""

    def __init__(self, scale=1):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(19))
        self.scale = scale

    def forward(self, images):
        assert not self.training and images.dtype == torch.float32
        assert images.shape[1:] == (3, *SIZE) and -1 <= images.min() and images.max() <= 1
        classes = ((images[:, 0] + 1) * 12.75).round().long()
        logits = nn.functional.one_hot(classes, 19).movedim(-1, 1) + self.bias.view(-1, 1, 1)
        return logits[..., ::self.scale, ::self.scale].float()


def translation(index):
    return (prediction_of(index) * 10)[..., None].repeat(3, -1)


@pytest.fixture
def samples(tmp_path):
    """Samples whose labels are files, in folders as the converters make them."""
    found = same_both_ways(NUMBER, translation)
    for index, sample in enumerate(found):
        name = Path('night' if index else '', f'{index:05d}')
        sample['img_A_path'] = str(tmp_path / 'testA' / name) + ('.jpg' if index else '.png')
        path = (tmp_path / 'testA_labels19' / name).with_suffix('.png')
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(label_of(index)).save(path)
    return found


@pytest.fixture
def expected():
    """The same metric of scikit-learn, over all pixels of all images."""
    labels, predictions = (
        np.concatenate([make(index).ravel() for index in range(NUMBER)])
        for make in (label_of, prediction_of))
    counted = labels != IGNORE
    present = [0, 2, 7, 10, 13]
    from sklearn.metrics import jaccard_score  # takes a second
    ious = jaccard_score(labels[counted], predictions[counted], labels=present, average=None)
    return {'miou/A2B': ious.mean(),
            **{f'iou_{CLASSES[number]}/A2B': iou for number, iou in zip(present, ious)}}


class TestFunctions:

    def test_torchmetrics(self):
        from torchmetrics.classification import MulticlassJaccardIndex  # takes seconds
        index = MulticlassJaccardIndex(19, average='none', ignore_index=IGNORE)
        confusion = np.zeros((19, 19), np.int64)
        for i in range(NUMBER):
            label, prediction = label_of(i), prediction_of(i)
            index.update(torch.from_numpy(prediction).long(), torch.from_numpy(label).long())
            confusion += confusion_matrix(prediction, label, 19, IGNORE)
        ious = class_iou(confusion)
        assert np.flatnonzero(~np.isnan(ious)).tolist() == [0, 2, 7, 10, 13]
        np.testing.assert_allclose(np.nan_to_num(ious), index.compute().numpy(), rtol=1e-6)

    def test_by_hand(self):
        confusion = confusion_matrix(
            np.array([[0, 0, 1], [1, 1, 0]]), np.array([[0, 1, 1], [1, 0, 9]]), 3, 9)
        assert confusion.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
        np.testing.assert_array_equal(class_iou(confusion), [1 / 3, 2 / 4, np.nan])

    def test_errors(self):
        with pytest.raises(ValueError, match=r'\(2,\), labels \(3,\)'):
            confusion_matrix(np.zeros(2, int), np.zeros(3, int), 2, 255)
        with pytest.raises(ValueError, match=r'labels \[2, 7\] are neither .* 0 to 1 nor 255'):
            confusion_matrix(np.zeros(4, int), np.array([7, 2, 1, 255]), 2, 255)


class TestMetric:

    def test_scikit_learn(self, samples, expected):
        MODELS.register_module(name='GreySegmenter', module=GreySegmenter, force=True)
        metric = METRICS.build(
            dict(type='TranslationMIoU', segmenter=dict(type='GreySegmenter')))
        results = evaluate(metric, samples)
        assert results == pytest.approx(expected)
        assert 0.2 < results['miou/A2B'] < 0.8
        assert {'iou_road/A2B', 'iou_sky/A2B', 'iou_traffic_sign/A2B', 'iou_car/A2B'} < set(results)

    def test_perfect_translation(self, samples):
        for index, sample in enumerate(samples):
            label = label_of(index)
            sample['A2B'] = (np.where(label == IGNORE, 0, label) * 10).astype(
                np.uint8)[..., None].repeat(3, -1)
        results = evaluate(TranslationMIoU(GreySegmenter()), samples)
        assert results['miou/A2B'] == 1 and len(results) == 5

    def test_other_direction(self, samples):
        for sample in samples:
            sample['img_B_path'] = sample.pop('img_A_path').replace('testA', 'trainB')
        labels = Path(samples[0]['img_B_path']).parents[1] / 'testA_labels19'
        labels.rename(labels.with_name('trainB_labels19'))
        results = evaluate(TranslationMIoU(GreySegmenter(), direction='B2A'), samples)
        assert {name.rpartition('/')[2] for name in results} == {'B2A'}

    def test_categories(self, samples, tmp_path):
        """The eight categories, as painted streets have them."""

        class Thirds(nn.Module):

            def forward(self, images):
                logits = torch.zeros(len(images), 8, *SIZE)
                for number, rows in ((5, slice(0, 2)), (2, slice(2, 4)), (1, slice(4, 6))):
                    logits[:, number, rows] = 1
                return logits

        labels = np.repeat(np.array([5, 5, 2, 1, 1, 1], np.uint8)[:, None], SIZE[1], 1)
        for path in (tmp_path / 'testA_labels19').rglob('*.png'):
            Image.fromarray(labels).save(path)
        (tmp_path / 'testA_labels19').rename(tmp_path / 'testA_labels8')
        results = evaluate(TranslationMIoU(Thirds(), labels='labels8'), samples)
        ious = dict(sky=1, construction=1 / 2, flat=2 / 3)
        assert results == pytest.approx({
            'miou/A2B': sum(ious.values()) / 3,
            **{f'iou_{name}/A2B': iou for name, iou in ious.items()}})
        assert set(results) <= set(TranslationMIoU.figure_names('AB', dict(labels='labels8')))
        with pytest.raises(ValueError, match=r"one of \['labels19', 'labels8'\], got 'labels'"):
            TranslationMIoU(Thirds(), labels='labels')

    def test_small_logits_are_resized(self, samples):
        for sample in samples:
            sample['A2B'] = np.full((*SIZE, 3), 20, np.uint8)
        results = evaluate(TranslationMIoU(GreySegmenter(scale=2)), samples)
        labels = np.concatenate([label_of(index) for index in range(NUMBER)])
        assert results['iou_building/A2B'] == pytest.approx(
            (labels == 2).sum() / (labels != IGNORE).sum())

    def test_checkpoint(self, samples, tmp_path):
        segmenter, path = GreySegmenter(), tmp_path / 'segmenter.pth'
        segmenter.bias.data[10] = 5.
        torch.save({'state_dict': segmenter.state_dict()}, path)
        metric = TranslationMIoU(GreySegmenter(), checkpoint=str(path))
        assert metric.segmenter.bias[10] == 5
        results = evaluate(metric, samples)
        assert results['iou_sky/A2B'] > 0 == results['iou_road/A2B']
        torch.save({'other': torch.zeros(1)}, path)
        with pytest.raises(ValueError, match='segmenter.pth does not fit .* GreySegmenter'):
            TranslationMIoU(GreySegmenter(), checkpoint=str(path))

    @pytest.mark.parametrize('label, message', [
        (None, 'the file does not exist.*docs/datasets.md'),
        (np.zeros((6, 9), np.uint8), r'\(6, 8\), labels \(6, 9\)'),
        (np.zeros((*SIZE, 3), np.uint8), 'of mode RGB, not a one-channel'),
        (np.full(SIZE, 19, np.uint8), r'labels \[19\] are neither'),
    ])
    def test_bad_labels(self, samples, tmp_path, label, message):
        path = tmp_path / 'testA_labels19' / '00000.png'
        path.unlink() if label is None else Image.fromarray(label).save(path)
        with pytest.raises(ValueError, match=f'A2B.*{path} does not fit: .*{message}'):
            evaluate(TranslationMIoU(GreySegmenter()), samples)

    def test_other_errors(self, samples, tmp_path):
        with pytest.raises(ValueError, match=r"one of \['A2B', 'B2A'\], got 'A2C'"):
            TranslationMIoU(GreySegmenter(), direction='A2C')
        with pytest.raises(ValueError, match=r'\(2, 19, h, w\), but gave \(2, 3, 6, 8\)'):
            evaluate(TranslationMIoU(nn.Identity()), samples)
        for path in (tmp_path / 'testA_labels19').rglob('*.png'):
            Image.fromarray(np.full(SIZE, IGNORE, np.uint8)).save(path)
        with pytest.raises(ValueError, match='all pixels of all labels are 255'):
            evaluate(TranslationMIoU(GreySegmenter()), samples)
        for path in ('', 'photos/0.png'):
            samples[0]['img_A_path'] = path
            with pytest.raises(ValueError, match="labels cannot be found, as 'img_A_path' is "):
                evaluate(TranslationMIoU(GreySegmenter()), samples)


class TestContract(MetricContract):
    """The samples are files; the expected figures are scikit-learn's."""

    @pytest.fixture
    def samples(self, samples):
        return samples

    @pytest.fixture
    def expected(self, expected):
        return expected

    def build(self, **kwargs):
        return TranslationMIoU(GreySegmenter(), **kwargs)


def test_classes_are_in_the_order_of_their_train_ids():
    assert len(CLASSES) == 19
    assert [CLASSES[number] for number in (0, 2, 10, 13, 18)] == [
        'road', 'building', 'sky', 'car', 'bicycle']


class TestMMSegmenter:

    @pytest.fixture(scope='class')
    def files(self, tmp_path_factory):
        pytest.importorskip('mmseg')
        folder = tmp_path_factory.mktemp('segmenter')
        cfg = Config.fromfile(REPOSITORY / 'configs/egscit/segmentation/_base_/deeplab.py')
        cfg.merge_from_dict(SEGMENTER)
        cfg.dump(folder / 'config.py')
        model = MODELS.build(dict(cfg.model, _scope_='mmseg'))
        model.init_weights()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):  # not the identity that it starts as
                nn.init.normal_(module.running_mean, std=0.1)
        torch.save({'state_dict': model.state_dict()}, folder / 'weights.pth')
        return folder, model.eval()

    def test_same_as_mmsegmentation(self, files):
        folder, model = files
        metric = TranslationMIoU(dict(
            type='MMSegmenter', config=str(folder / 'config.py'),
            checkpoint=str(folder / 'weights.pth')))
        images = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
        with torch.no_grad():
            logits = metric.segmenter(images / 127.5 - 1)
            samples = model.test_step(dict(
                inputs=list(images.flip(1)), data_samples=mmseg_samples(images)))
        expected = torch.stack([sample.seg_logits.data for sample in samples])
        assert logits.shape == (2, 19, 32, 48) and expected.std() > 1e-3
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)

    def test_wrong_checkpoint(self, files, tmp_path):
        torch.save({'state_dict': {'other': torch.zeros(1)}}, tmp_path / 'other.pth')
        with pytest.raises(ValueError, match='other.pth does not fit .*config.py'):
            MMSegmenter(str(files[0] / 'config.py'), str(tmp_path / 'other.pth'))


def mmseg_samples(images):
    from mmseg.structures import SegDataSample
    shape = tuple(images.shape[2:])
    return [SegDataSample(metainfo=dict(img_shape=shape, ori_shape=shape)) for _ in images]
