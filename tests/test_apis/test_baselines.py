# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Baselines and ablations of the digit task train and test as EGSC-IT does."""
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

from egscit_mm.apis import EGSCITInferencer, train

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / 'configs' / 'egscit'


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture
def figures_of(monkeypatch, tmp_path):
    """tools/test.py as a function of config and checkpoint."""
    spec = importlib.util.spec_from_file_location(
        'test_tool', REPOSITORY / 'tools' / 'test.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(config, checkpoint):
        out = tmp_path / 'metrics.json'
        monkeypatch.setattr(sys, 'argv', [
            'test.py', str(config), str(checkpoint), '--work-dir', str(tmp_path / 'test'),
            '--out', str(out)
        ])
        module.main()
        return json.loads(out.read_text())

    return run


def tiny_config(name, folder, data_root):
    """A config of its own with a tiny model on tiny data, two iterations."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    options = tiny_model_options(name.split('_')[0])
    if cfg.model.get('perceptual_loss') is None:
        options = {key: value for key, value in options.items() if 'perceptual' not in key}
    options.update(tiny_options(data_root, iters=2, validate=True))
    options['custom_hooks.0.interval'] = 2
    cfg.merge_from_dict(options)
    path = folder / f'{name}.py'
    cfg.dump(path)
    return path


@pytest.mark.parametrize('name, terms', [
    ('unit_mnist_single', {'gan', 'reconstruction', 'kl', 'cycle'}),
    ('munit_mnist_single', {'gan', 'reconstruction', 'content', 'style'}),
    ('drit_mnist_single', {'gan', 'random', 'content', 'reconstruction', 'cross', 'attribute',
                           'latent'}),
    ('cyclegan_mnist_single', {'gan'}),
    ('adain_style_mnist_single', {'content', 'style'}),
    ('wct_mnist_single', {'pixel', 'feature'}),
])
def test_baseline_trains_and_tests(name, terms, data_root, tmp_path, figures_of):
    config, work_dir = tiny_config(name, tmp_path, data_root), tmp_path / 'work'
    runner = train(Config.fromfile(config), work_dir=str(work_dir))
    assert runner.iter == 2
    assert not list(work_dir.glob('vaegan*'))  # no stage 1

    scalars = [
        json.loads(line)
        for line in next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    ]
    logged = {key: value for row in scalars for key, value in row.items()}
    assert {key.split('_')[1] for key in logged
            if key.startswith('loss_') and key not in ('loss_d', 'loss_g')} == terms
    assert all(np.isfinite(value) for value in logged.values())
    assert list(work_dir.glob('*/vis_data/vis_image/*.png'))

    figures = figures_of(config, work_dir / 'iter_2.pth')
    assert {'ssim_ground_truth/A2B', 'ssim_exemplar/B2A', 'ceiling_exemplar/A2B',
            'train_seconds'} <= figures.keys()
    assert -1 <= figures['ssim_ground_truth/B2A']['mean'] <= 1


def test_cyclegan_updates_both_sides(data_root, tmp_path):
    """And starts from MMagic's normal distribution, which needs the cure in egscit_mm.compat."""
    config = tiny_config('cyclegan_mnist_single', tmp_path, data_root)
    train(Config.fromfile(config), work_dir=str(tmp_path / 'work'),
          options={'default_hooks.checkpoint.interval': 1})
    first, last = (torch.load(tmp_path / 'work' / f'iter_{i}.pth', weights_only=True)['state_dict']
                   for i in (1, 2))
    for key, value in first.items():
        moved = not torch.equal(value, last[key])
        # A bias before an instance norm has no gradient but that of rounding.
        assert moved or key.endswith('bias'), key
    weight = first['generators.A.model.3.block.0.conv.weight']
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_munit_in_the_inferencer(data_root, tmp_path):
    config = tiny_config('munit_mnist_single', tmp_path, data_root)
    runner = train(Config.fromfile(config), work_dir=str(tmp_path / 'work'))
    inferencer = EGSCITInferencer(config, str(tmp_path / 'work' / 'iter_2.pth'), device='cpu')
    assert inferencer.model.discriminators is None
    pictures = np.random.RandomState(0).randint(0, 256, (3, 27, 30, 3), np.uint8)
    results = [inferencer(pictures[:1], pictures[i:i + 1])[0] for i in (1, 2)]
    assert results[0].shape == (27, 30, 3) and not np.array_equal(*results)
    averaged = runner.model.generators_ema.module.state_dict()
    for key, value in inferencer.model.generators_ema.module.state_dict().items():
        assert torch.equal(value, averaged[key]), key


@pytest.mark.parametrize('ablation', ['wo_mask', 'wo_adain', 'wo_perceptual'])
def test_ablation_trains_after_the_stage_1_of_the_task(ablation, data_root, tmp_path):
    config = tiny_config(f'egscit_mnist_single_{ablation}', tmp_path, data_root)
    cfg = Config.fromfile(CONFIGS / 'vaegan_mnist_single.py')
    cfg.merge_from_dict(tiny_model_options('vaegan'))
    cfg.dump(tmp_path / 'vaegan_mnist_single.py')
    cfg = Config.fromfile(config)
    options = tiny_options(data_root, iters=2, validate=True)
    runner = train(cfg, work_dir=str(tmp_path / 'work'), options=options)
    assert (tmp_path / 'work' / 'vaegan_mnist_single' / 'iter_2.pth').is_file()
    model = runner.model
    assert (model.generators.eta == 1) == (ablation == 'wo_mask')
    assert (model.generators.adain is None) == (ablation == 'wo_adain')
    assert (model.perceptual_loss is None) == (ablation == 'wo_perceptual')
    assert bool(model.generators.features_loaded)
