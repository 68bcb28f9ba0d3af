# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""DRIT on the digit task: trained, resumed, tested, translating. (Losses: ``--renew-golden``.)"""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tool import Tool

from egscit_mm.apis.train import train
from egscit_mm.utils.images import read_image

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'
GOLDEN = Path(__file__).with_name('golden_losses_drit.json')
# As for EGSC-IT's golden losses.
TOLERANCE = 1e-3


def config_in(folder, data_root):
    cfg = Config.fromfile(CONFIGS / 'drit_mnist_single.py')
    cfg.merge_from_dict({**tiny_model_options('drit'), **tiny_options(data_root, 4, validate=True),
                         'log_processor.window_size': 1, 'custom_hooks.0.interval': 4})
    cfg.test_evaluator.metrics.append(dict(type='ExemplarDiversity', num_exemplars=3))
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    path = folder / 'drit_mnist_single.py'
    cfg.dump(path)
    return path


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def trained(data_root, tmp_path_factory):
    """Folder with the config and the work directory of four iterations."""
    folder = tmp_path_factory.mktemp('drit')
    train(Config.fromfile(config_in(folder, data_root)), work_dir=str(folder / 'work'))
    return folder


def losses_of(work_dir):
    file, = work_dir.glob('*/vis_data/scalars.json')
    return [{name: float(f'{value:.6g}') for name, value in json.loads(line).items()
             if name.startswith('loss')} for line in file.read_text().splitlines()]


def test_losses_are_the_recorded_ones(trained, request):
    losses = losses_of(trained / 'work')
    assert len(losses) == 4
    if request.config.getoption('--renew-golden'):
        GOLDEN.write_text(json.dumps(losses, indent=1) + '\n')
    for iteration, (found, expected) in enumerate(
            zip(losses, json.loads(GOLDEN.read_text()), strict=True), 1):
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=1e-4), f'iteration {iteration}'
    assert list((trained / 'work').glob('*/vis_data/vis_image/translation_A2B_4.png'))


def test_it_resumes_bit_for_bit(trained, tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    shutil.copy(trained / 'work' / 'iter_2.pth', work)
    train(Config.fromfile(trained / 'drit_mnist_single.py'), work_dir=str(work), resume=True)
    expected, found = (torch.load(folder / 'iter_4.pth', weights_only=True)
                       for folder in (trained / 'work', work))
    assert expected['state_dict'].keys() == found['state_dict'].keys()
    for name, value in expected['state_dict'].items():
        assert torch.equal(value, found['state_dict'][name]), name
    for side in ('generators', 'discriminators', 'content_discriminator'):
        states = [content['optimizer'][side]['state'] for content in (expected, found)]
        assert states[0].keys() == states[1].keys() and states[0]
        for index, state in states[0].items():
            assert torch.equal(state['exp_avg'], states[1][index]['exp_avg'])


def test_it_trains_with_mixed_precision(data_root, tmp_path):
    config = config_in(tmp_path, data_root)
    runner = train(Config.fromfile(config), work_dir=str(tmp_path / 'work'), amp=True,
                   options={'train_cfg.max_iters': 1})
    wrappers = runner.optim_wrapper
    assert {type(wrapper).__name__ for wrapper in wrappers.values()} == {'AutocastOptimWrapper'}
    assert len(wrappers) == 3


def test_it_is_tested_and_translates(trained, data_root, tmp_path):
    config, checkpoint = trained / 'drit_mnist_single.py', trained / 'work' / 'iter_4.pth'
    Tool('test.py')(config, checkpoint, '--work-dir', tmp_path / 'test', '--out',
                    tmp_path / 'metrics.json')
    figures = json.loads((tmp_path / 'metrics.json').read_text())
    assert {'ssim_exemplar/A2B', 'style_accuracy/B2A', 'diversity/A2B',
            'diversity_of_exemplars/B2A'} <= figures.keys()
    assert figures['diversity/A2B']['mean'] >= 0
    Tool('translate.py')(config, checkpoint, '--content', data_root / 'testA', '--exemplar',
                         data_root / 'testB', '--out', tmp_path / 'out', '--device', 'cpu')
    images = [read_image(path) for path in sorted((tmp_path / 'out').rglob('*.png'))]
    assert len(images) >= 4 and all(np.asarray(image).shape[:2] == (28, 28) for image in images)
