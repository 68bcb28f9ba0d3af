# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Settings that are right alone and wrong together, and keys that change nothing."""
import copy
import importlib.util
import json
from pathlib import Path

import pytest
from bad_input import sentence_of
from mmengine.config import Config
from tiny_data import tiny_options

from egscit_mm.config import ConfigError, check_config, merge_options, read_config
from egscit_mm.config.names import TOP_LEVEL

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'
FILES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
INFINITE = dict(type='InfiniteSampler', shuffle=True)


@pytest.fixture
def cfg():
    cfg = Config.fromfile(CONFIGS / 'egscit_mnist_single.py')
    cfg.merge_from_dict(tiny_options('data', validate=True))
    return cfg


@pytest.mark.parametrize('kind, package', [
    ('TensorboardVisBackend', 'tensorboard'), ('mmagic.TensorboardVisBackend', 'tensorboard'),
    ('mmengine.WandbVisBackend', 'wandb'), ('MLflowVisBackend', 'mlflow'),
])
@pytest.mark.parametrize('purpose', ['train', 'test'])
def test_a_backend_whose_package_is_missing(cfg, kind, package, purpose, monkeypatch):
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend'), dict(type=kind)]
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ConfigError, match=rf'visualizer.vis_backends.1 is {kind!r}.*'
                       rf'pip install {package}'):
        check_config(cfg, purpose)
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: name == package)
    check_config(cfg, purpose)


EPOCHS = {'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2)}
BY_EPOCH = {'train_cfg': dict(_delete_=True, by_epoch=True, max_epochs=2)}
ITERS = {'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=2)}


@pytest.mark.parametrize('options, words', [
    (EPOCHS, ["train_dataloader.sampler.type='SeededInfiniteSampler' never ends", 'train_cfg']),
    (BY_EPOCH, ["train_dataloader.sampler.type='SeededInfiniteSampler' never ends"]),
    ({**EPOCHS, 'train_dataloader.sampler': dict(_delete_=True, **INFINITE)},
     ["train_dataloader.sampler.type='InfiniteSampler' never ends", 'DefaultSampler']),
    ({'val_dataloader.sampler': dict(_delete_=True, **INFINITE)},
     ["val_dataloader.sampler.type='InfiniteSampler' never ends", 'val_cfg']),
    ({'default_hooks.checkpoint.by_epoch': True}, ['default_hooks.checkpoint.by_epoch']),
    ({**ITERS, 'default_hooks.checkpoint': dict(_delete_=True, type='CheckpointHook')},
     ['default_hooks.checkpoint.by_epoch']),
    ({'train_dataloader.dataset.test_mode': True}, ['the training would see the test images']),
    ({'train_dataloader.dataset': dict(_delete_=True, type='RepeatDataset', times=2, dataset=dict(
        type='ExemplarImageDataset', data_root='x', pipeline=[], test_mode=True))},
     ['train_dataloader.dataset.dataset.test_mode must be False']),
    ({'val_dataloader.dataset.test_mode': False},
     ['val_dataloader.dataset.test_mode must be True', 'training images']),
    ({'val_dataloader.dataset': dict(_delete_=True, type='UnpairedImageDataset', data_root='x',
                                     pipeline=[])},
     ['val_dataloader.dataset.test_mode must be True', 'training images']),
    ({'val_dataloader.drop_last': True}, ['val_dataloader.drop_last must be False']),
    ({'data_preprocessor': dict(type='DataPreprocessor')}, ['data_preprocessor changes nothing']),
    ({'default_hooks.checkpoint.save_last': False, 'default_hooks.checkpoint.save_begin': 9},
     ['would never save']),
    ({'param_scheduler.0.begin': 100, 'param_scheduler.0.end': 200}, ['never take a step']),
    ({'load_from': 5}, ['load_from of Runner should be Optional[str], got 5']),
    ({'train_cfg.max_iters': 0}, ['train_cfg.max_iters=0 would train nothing']),
    ({'param_scheduler': [dict(type='MultiStepLR', milestones=[1])]},
     ["'MultiStepLR' must have by_epoch=False"]),
    ({'param_scheduler': [dict(type='LinearLR', start_factor=0.1)]},
     ["'LinearLR' must have by_epoch=False"]),
])
def test_conflicts(cfg, options, words):
    merge_options(cfg, copy.deepcopy(options))  # MMEngine takes _delete_ out
    with pytest.raises(ConfigError) as caught:
        check_config(cfg, 'train')
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize('options, words', [
    ({'test_dataloader.dataset': dict(
        _delete_=True, type='mmagic.ExemplarImageDataset', data_root='x', pipeline=[])},
     'test_dataloader.dataset.test_mode must be True'),
    ({'test_dataloader.drop_last': True}, 'test_dataloader.drop_last must be False'),
])
def test_test_sets_that_are_not_whole(cfg, options, words):
    merge_options(cfg, copy.deepcopy(options))
    with pytest.raises(ConfigError, match=words):
        check_config(cfg, 'test')
    check_config(cfg, 'train')


def test_one_of_several_test_sets(cfg):
    loader = copy.deepcopy(cfg.test_dataloader)
    loader.dataset.test_mode = False
    cfg.test_dataloader = [cfg.test_dataloader, loader]
    with pytest.raises(ConfigError, match='test_dataloader.1.dataset.test_mode must be True'):
        check_config(cfg, 'test')


@pytest.mark.parametrize('options', [
    {},
    {'param_scheduler': [dict(type='ReduceOnPlateauLR', by_epoch=True, monitor='x')]},
    {'param_scheduler': [dict(type='CosineAnnealingLR', T_max=2, convert_to_iter_based=True)]},
    {'default_hooks.logger.priority': 'LOW'},
    ITERS,
    {**EPOCHS, 'train_dataloader.sampler': dict(_delete_=True, type='DefaultSampler')},
    {'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': True},
    {'train_cfg.val_interval': 9},
])
def test_what_goes_together(cfg, options):
    merge_options(cfg, copy.deepcopy(options))  # MMEngine takes _delete_ out
    assert sentence_of(check_config, cfg, 'train') is None


@pytest.mark.parametrize('name, value, place', [
    ('max_iters', 100, 'train_cfg.max_iters'),
    ('max_epochs', 100, 'settings begin with'),
    ('total_epochs', 100, 'set train_cfg.max_epochs'),
    ('lr_config.policy', 'poly', 'set param_scheduler'),
    ('lr', 1e-3, 'optim_wrapper.generators.optimizer.lr'),
    ('batch_size', 6, 'train_dataloader.batch_size'),
    ('num_workers', 6, 'train_dataloader.num_workers'),
    ('data_root', 'x', 'train_dataloader.dataset.data_root'),
    ('seed', 3, 'randomness.seed'),
    ('train_pipeline.0.type', 'x', 'train_dataloader.dataset.pipeline'),
    ('_data_root', 'x', 'settings begin with'),
    ('train_dataloder.batch_size', 6, 'did you mean train_dataloader.batch_size?'),
    ('generator.eta', 6, 'model.generator'),
    ('launcher', 'pytorch', '--launcher'),
    ('custom_imports', dict(imports=['foo']), 'when the file is read'),
])
def test_options_that_change_nothing(cfg, name, value, place):
    before = json.dumps(cfg.to_dict(), default=str)
    with pytest.raises(ConfigError, match='changes nothing') as caught:
        merge_options(cfg, {name: value})
    assert name in str(caught.value) and place in str(caught.value)
    assert json.dumps(cfg.to_dict(), default=str) == before


@pytest.mark.parametrize('line, place', [
    ('max_iters = 100', 'train_cfg.max_iters'),
    ('data_root = "x"', 'train_dataloader.dataset.data_root'),
    ('eta = 0.3', 'model.generator.eta'),
    ('_data_root = "data"', 'train_dataloader.dataset.data_root'),
    ('_network = dict(base_channels=8)', 'set model.generator.encoder.base_channels'),
    ('train_pipeline = [dict(type="LoadImage", key="img_A")]', 'train_dataloader.dataset.pipeline'),
    ('test_pipeline = []', 'test_dataloader.dataset.pipeline'),
    ('domains = ["A", "C"]', 'the settings that the variable of this name'),
    ('checkpoint_config = dict(interval=100)', 'set default_hooks.checkpoint'),
    ('lr_config = dict(policy="poly")', 'set param_scheduler'),
    ('log_config = dict(interval=50)', 'set default_hooks.logger'),
    ('evaluation = dict(interval=50)', 'set val_evaluator'),
    ('total_iters = 50', 'set train_cfg.max_iters'),
    ('optimizer = dict(type="Adam")', 'set optim_wrapper'),
])
def test_variables_that_change_nothing(tmp_path, line, place):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'egscit_mm::egscit/egscit_quickstart.py'\n{line}\n")
    sentence = sentence_of(read_config, path)
    name = line.split()[0]
    assert sentence.startswith(f'{path}: {name} at the top of the file changes nothing')
    assert place in sentence
    path.write_text(path.read_text() + f'notes = dict(mine={name})\n')
    assert sentence_of(read_config, path) is None


@pytest.mark.parametrize('lines', [
    'max_iters = 100\ntrain_cfg = dict(max_iters=max_iters)',
    'note = "mine"',
    '_max_iters = 100',
    'data_root = "x"\ntrain_dataloader = dict(dataset=dict(data_root=data_root + "/y"))',
])
def test_variables_of_the_author(tmp_path, lines):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = '{CONFIGS / 'egscit_mnist_single.py'}'\n{lines}\n")
    assert read_config(path).model.type == 'EGSCIT'


def test_a_variable_that_its_base_keeps_for_a_hook(tmp_path):
    base, child = tmp_path / 'base.py', tmp_path / 'child.py'
    base.write_text("_base_ = 'egscit_mm::egscit/egscit_quickstart.py'\nmine = dict(a=1)\n")
    child.write_text("_base_ = '{{ fileDirname }}/base.py'\nmine = dict(a=2)\n")
    assert read_config(child).mine.a == 2
    child.write_text("_base_ = '{{ fileDirname }}/base.py'\nmax_iters = 3\n")
    assert 'train_cfg.max_iters' in sentence_of(read_config, child)
    child.write_text("_base_ = ['base.py']\nmine = dict(a=2)\n")
    assert read_config(child).mine.a == 2
    child.write_text("_base_ = ['base.py']\n_network = dict(base_channels=2)\n")
    assert 'base_channels' in sentence_of(read_config, child)


def test_a_config_that_mmengine_wrote_is_read(cfg, tmp_path):
    cfg.dump(tmp_path / 'dumped.py')
    assert read_config(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_no_dead_keys(path):
    """Beside settings only what files that build on a config use: its pipelines, its privates."""
    cfg = Config.fromfile(path, import_custom_modules=False)
    dead = [key for key in cfg if key not in TOP_LEVEL and not key.startswith('_')
            and not key.endswith('_pipeline')]
    assert not dead


@pytest.mark.parametrize('metrics', [
    [dict(type='ExemplarSSIM'), dict(type='PSNR')], dict(type='mmagic.MAE'),
    dict(metrics=[dict(type='SSIM', gt_key='img_B')])])
def test_metrics_of_restoration_models(cfg, metrics):
    cfg.test_evaluator = metrics
    with pytest.raises(ConfigError, match='test_evaluator has the metric.*TranslationSSIM'):
        check_config(cfg, 'test')


@pytest.mark.parametrize('place', ['custom_hooks', 'default_hooks'])
@pytest.mark.parametrize('hook', [
    dict(type='ExponentialMovingAverageHook', module_keys=('generators_ema', )),
    dict(type='mmengine.EMAHook'), dict(type='EMAHook', momentum=1e-3)])
def test_an_average_that_the_model_makes_itself(cfg, hook, place):
    cfg[place] = [hook] if place == 'custom_hooks' else {**cfg.default_hooks, 'ema': hook}
    name = place + dict(custom_hooks='.0', default_hooks='.ema')[place]
    kind = hook['type'].removeprefix('mmengine.')
    with pytest.raises(ConfigError, match=rf'{name} is {kind}, .*set model.ema_config'):
        check_config(cfg, 'train')


def test_an_average_of_a_model_that_makes_none():
    cfg = Config.fromfile(CONFIGS / 'vaegan_mnist_single.py')
    cfg.custom_hooks = [dict(type='EMAHook')]
    check_config(cfg, 'train')


@pytest.mark.parametrize('loop', [dict(), dict(type='TestLoop')])
def test_a_loop_that_does_not_know_the_evaluator(cfg, loop):
    check_config(cfg, 'test')
    cfg.test_cfg = loop
    with pytest.raises(ConfigError, match="set test_cfg.type='MultiTestLoop'"):
        check_config(cfg, 'test')
    cfg.test_evaluator = [dict(type='ExemplarSSIM')]  # MMEngine's Evaluator
    check_config(cfg, 'test')


def test_a_test_on_several_data_sets(cfg):
    """As MMagic's loops take it: dataloaders, and an evaluator for each."""
    loader = cfg.test_dataloader.to_dict()
    cfg.test_dataloader = [loader, copy.deepcopy(loader)]
    cfg.test_evaluator = [dict(type='Evaluator', metrics=[dict(type='ExemplarSSIM', prefix='x')]),
                          dict(type='Evaluator', metrics=[dict(type='ExemplarSSIM', prefix='y')])]
    check_config(cfg, 'test')
    cfg.test_evaluator.append(dict(type='Evaluator', metrics=[dict(type='ExemplarSSIM')]))
    with pytest.raises(ConfigError, match='test_evaluator has 3 evaluators for the 2 dataloaders'):
        check_config(cfg, 'test')
    cfg.test_evaluator = [[dict(type='ExemplarSSIM')], [dict(type='PSNR')]]
    with pytest.raises(ConfigError, match="test_evaluator has the metric 'PSNR'"):
        check_config(cfg, 'test')
