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
        assert (path.parent / cfg.stage1_config).is_file()
        loaders.append(cfg.test_dataloader)
        for metric in cfg.test_evaluator.metrics:
            METRICS.build(metric)
    else:
        assert cfg.val_cfg is None and cfg.test_cfg is None
    for loader in loaders:
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(data_root)))
        batch = pseudo_collate([dataset[0], dataset[1]])
        assert sorted(batch['inputs']) == ['img_A', 'img_B']
        assert batch['data_samples'][0].metainfo['img_A_path'].endswith('.png')


def test_the_papers_settings():
    """Table 6, MNIST-Single."""
    for stage, updates in (('vaegan', 2), ('egscit', 6)):
        cfg = Config.fromfile(CONFIGS[0].parent / f'{stage}_mnist_single.py')
        assert cfg.train_dataloader.batch_size == 8 * updates
        assert cfg.train_cfg.max_iters == 60000
        assert cfg.model.generator.encoder.base_channels == 64
        assert cfg.model.generator.encoder.num_downsamples == 0
        assert cfg.model.generator.encoder.num_blocks == 3
        for side in ('generators', 'discriminators'):
            assert cfg.optim_wrapper[side].optimizer == dict(
                type='Adam', lr=1e-5, betas=(0.5, 0.999))
    assert cfg.model.perceptual_loss.content_weight == 10
    assert cfg.model.perceptual_loss.style_weight == 1000
    assert (cfg.model.discriminator_steps, cfg.model.generator_steps) == (1, 5)
