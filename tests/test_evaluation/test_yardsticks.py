# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from tiny_data import write_tiny_digits
from tiny_sources import run_converter
from tool import Tool

from egscit_mm.evaluation import match_lab_statistics, ssim
from egscit_mm.evaluation.comparison import CEILING
from egscit_mm.evaluation.yardsticks import copy_exemplar, measure_yardsticks

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'


def read(path):
    return np.array(Image.open(path))


class TestLab:

    def test_colours_of_the_exemplar(self):
        """Two greys, spread and shifted: a difference of brightness becomes the exemplar's."""
        content = np.full((4, 6, 3), 60, np.uint8)
        content[:, 3:] = 90
        exemplar = np.full((8, 2, 3), (240, 230, 40), np.uint8)
        exemplar[:4] = (40, 30, 0)
        image = match_lab_statistics(content, exemplar)
        assert image.shape == content.shape and image.dtype == np.uint8
        # The content has no colours to spread, so both halves get the mean colour of the exemplar.
        assert image[0, 0, 2] < image[0, 0, 1] and image[0, 5, 2] < image[0, 5, 1]
        assert image[0, 0].max() < 60 and image[0, 5].max() > 200

    def test_its_own_statistics_change_nothing(self):
        image = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)
        assert np.abs(match_lab_statistics(image, image[::-1]).astype(int) - image).max() <= 1


def test_an_exemplar_of_another_size():
    exemplar = np.full((4, 6, 3), 9, np.uint8)
    assert (copy_exemplar(np.zeros((8, 5, 3), np.uint8), exemplar) == 9).all()
    assert copy_exemplar(np.zeros((4, 6, 3), np.uint8), exemplar) is exemplar


@pytest.fixture(scope='module')
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp('streets') / 'data'
    assert run_converter('streets', '--size', 64, 128, '--num-train', 1, '--num-test', 3, '--out',
                         root) == 0
    return root


def options_for(root):
    return {'test_dataloader.dataset.data_root': str(root), 'test_dataloader.num_workers': 0,
            'test_dataloader.persistent_workers': False, 'test_dataloader.batch_size': 2}


def test_streets_by_the_tool(streets, tmp_path, capsys):
    cfg = Config.fromfile(CONFIGS / 'egscit_streets_reduced.py')
    retrieval = dict(cfg.test_evaluator.metrics[-1], pretrained=None, base_channels=2,
                     num_others=2)
    assert retrieval['type'] == 'ExemplarRetrieval'
    cfg.test_evaluator.metrics[-1] = retrieval
    cfg.merge_from_dict(options_for(streets))
    cfg.dump(tmp_path / 'config.py')
    Tool('analysis/yardsticks.py')(
        tmp_path / 'config.py', '--out', tmp_path / 'out' / 'yardsticks.json')
    figures = json.loads((tmp_path / 'out' / 'yardsticks.json').read_text())
    content, exemplar, lab, perfect = figures.values()
    assert list(figures) == ['copy the content', 'copy the exemplar', 'mean and std in Lab',
                             CEILING]
    for source, target in ('AB', 'BA'):
        direction = f'{source}2{target}'
        names = [f'{name}/{direction}' for name in (
            'ssim_ground_truth', 'colour_error', 'exemplar_retrieval', 'content_leak')]
        truth, error, retrieved, leak = names
        assert perfect[truth]['mean'] == 1 and perfect[error]['mean'] == 0
        assert exemplar['ssim_exemplar/' + direction]['mean'] == 1 == exemplar[retrieved]['mean']
        assert exemplar[leak]['mean'] > 0.5 > content[leak]['mean']
        assert content[error]['mean'] > lab[error]['mean'] > 0
        # The first test image, to its ground truth.
        found = [ssim(*(read(streets / folder / f'{index:05d}.png')
                        for folder in (f'test{source}', f'test{direction}'))) for index in range(3)]
        assert content[truth]['mean'] == pytest.approx(np.mean(found))
    table = capsys.readouterr().out
    assert f'| ssim_ground_truth/A2B | {content["ssim_ground_truth/A2B"]["mean"]:.3f} ±' in table


def test_digits(tmp_path):
    cfg = Config.fromfile(CONFIGS / 'unit_mnist_single_reduced.py')
    cfg.merge_from_dict(options_for(write_tiny_digits(tmp_path)))
    figures = measure_yardsticks(cfg)
    assert figures[CEILING]['style_accuracy/A2B']['mean'] == 1
    assert figures[CEILING]['hue_correlation/A2B'] == pytest.approx(1)
    assert 'hue_correlation/B2A' not in figures[CEILING]  # black and white
    assert figures['copy the content']['content_accuracy/A2B']['mean'] == 1


def test_without_ground_truths_and_without_a_test(tmp_path):
    root = write_tiny_digits(tmp_path)
    cfg = Config.fromfile(CONFIGS / 'unit_mnist_single_reduced.py')
    cfg.merge_from_dict(options_for(root))
    cfg.test_evaluator.metrics = [dict(type='ExemplarSSIM'), dict(type='LPIPSDiversity')]
    pipeline = [step for step in cfg.test_dataloader.dataset.pipeline
                if not step.get('key', '').startswith('gt_')]
    pipeline[-1]['data_keys'] = []
    cfg.test_dataloader.dataset.pipeline = pipeline
    figures = measure_yardsticks(cfg)
    assert list(figures) == ['copy the content', 'copy the exemplar', 'mean and std in Lab']
    assert set(figures['copy the content']) == {'ssim_exemplar/A2B', 'ssim_exemplar/B2A'}
    with pytest.raises(ValueError, match='vaegan_mnist_single.py has no test_evaluator'):
        measure_yardsticks(Config.fromfile(CONFIGS / 'vaegan_mnist_single.py'))


def test_several_data_sets_whichever_way_they_are_written(tmp_path):
    cfg = Config.fromfile(CONFIGS / 'unit_mnist_single_reduced.py')
    cfg.merge_from_dict(options_for(write_tiny_digits(tmp_path)))
    cfg.test_dataloader = [cfg.test_dataloader, cfg.test_dataloader]
    cfg.test_evaluator = [dict(type='Evaluator', metrics=dict(type='PixelAccuracy', prefix='x')),
                          [dict(type='ExemplarSSIM')]]
    figures = measure_yardsticks(cfg)[CEILING]
    assert figures['x/pixel_accuracy_8/A2B']['mean'] == 1 and 'ssim_exemplar/B2A' in figures
