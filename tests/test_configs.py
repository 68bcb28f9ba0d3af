# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Every config builds: model, optimisers, schedule, data pipeline, hooks and metrics."""
from pathlib import Path

import pytest
from mmagic.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from tiny_data import write_tiny_digits

from egscit_mm.models import EGSCIT

# Stages and tasks whose test sets have ground truths.
TESTED = ('egscit_mnist', 'egscit_quickstart', 'egscit_emnist')
CONFIGS = sorted((Path(__file__).parents[1] / 'configs' / 'egscit').glob('*.py'))


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


def test_configs_are_found():
    assert {'egscit_mnist_single.py', 'vaegan_mnist_single.py', 'egscit_quickstart.py',
            'vaegan_quickstart.py'} <= {path.name for path in CONFIGS}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path, data_root):
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    # build_optim_wrapper takes the constructor out of the config.
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper.copy())
    assert set(optim_wrapper.keys()) == {'generators', 'discriminators'}

    updates = model.discriminator_steps + model.generator_steps
    assert cfg.train_dataloader.batch_size % updates == 0
    assert [scheduler.type for scheduler in cfg.param_scheduler] == ['PolyDecayLR']
    for hook in cfg.custom_hooks:
        HOOKS.build(hook)

    loaders = [cfg.train_dataloader]
    if isinstance(model, EGSCIT):
        stage1 = Config.fromfile(path.parent / cfg.stage1_config)
        assert stage1.train_dataloader.dataset == cfg.train_dataloader.dataset
        assert stage1.train_cfg.max_iters == cfg.train_cfg.max_iters or 'quickstart' in path.stem
    # Only the digit tasks have ground truths to test with. The Runner wants the parts of a loop
    # to be there together.
    for loop in ('val', 'test'):
        parts = [cfg.get(f'{loop}_{part}') for part in ('cfg', 'dataloader', 'evaluator')]
        assert len({part is None for part in parts}) == 1
    if cfg.test_cfg is not None:
        loaders.append(cfg.test_dataloader)
        for metric in cfg.test_evaluator.metrics:
            METRICS.build(metric)
    assert (cfg.test_cfg is not None) == path.stem.startswith(TESTED)
    for loader in loaders:
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(data_root)))
        batch = pseudo_collate([dataset[0], dataset[1]])
        assert sorted(batch['inputs']) == ['img_A', 'img_B']
        assert batch['data_samples'][0].metainfo['img_A_path'].endswith('.png')


# Table 6 of the paper; GTA5 <-> Cityscapes from the authors' release, which names no iterations.
SETTINGS = {
    # task: (minibatch, num_downsamples, lr, style_weight, content_weight, max_iters)
    'mnist_single': (8, 0, 1e-5, 1e3, 1e1, 60000),
    'gta2bdd': (3, 2, 1e-4, 1e4, 1e2, 22000),
    'celeba': (8, 2, 1e-4, 5e3, 1e1, 30000),
    'gta2cityscapes': (3, 2, 1e-4, 1e3, 5e2, 22000),
}


@pytest.mark.parametrize('task', SETTINGS)
def test_the_papers_settings(task):
    minibatch, num_downsamples, lr, style_weight, content_weight, max_iters = SETTINGS[task]
    for stage, updates in (('vaegan', 2), ('egscit', 6)):
        cfg = Config.fromfile(CONFIGS[0].parent / f'{stage}_{task}.py')
        assert cfg.train_dataloader.batch_size == minibatch * updates
        assert cfg.train_cfg.max_iters == max_iters
        assert cfg.train_dataloader.dataset.data_root == f'data/{task}'
        for part in (cfg.model.generator.encoder, cfg.model.generator.decoder):
            assert (part.base_channels, part.num_downsamples, part.num_blocks) == (
                64, num_downsamples, 3)
        for side in ('generators', 'discriminators'):
            assert cfg.optim_wrapper[side].optimizer == dict(
                type='Adam', lr=lr, betas=(0.5, 0.999))
    assert cfg.model.perceptual_loss.content_weight == content_weight
    assert cfg.model.perceptual_loss.style_weight == style_weight
    assert (cfg.model.discriminator_steps, cfg.model.generator_steps) == (1, 5)
