# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Figures that hooks wait for are known before anything is trained."""
from pathlib import Path

import pytest
from mmengine.config import Config

from egscit_mm.apis import train
from egscit_mm.apis.monitored import figure_names, monitored_problems

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'


def config(metrics=('TranslationSSIM', 'ExemplarSSIM', 'StyleAccuracy'), hooks=(), **checkpoint):
    cfg = Config.fromfile(CONFIGS / 'egscit_mnist_single.py')
    cfg.val_evaluator = dict(
        type='Evaluator',
        metrics=[dict(type=metric) if isinstance(metric, str) else metric for metric in metrics])
    cfg.default_hooks.checkpoint.update(checkpoint)
    cfg.custom_hooks = list(hooks)
    return cfg


@pytest.mark.parametrize('checkpoint, expected', [
    (dict(save_best='ssim', rule='greater'), ('save_best', 'ssim_ground_truth/A2B_mean')),
    (dict(save_best=['ssim_ground_truth/A2B_mean', 'fid/A2B'], rule='less'),
     ('save_best', "'fid/A2B'")),
    (dict(save_best='ssim_ground_truth/A2B', rule='greater'), ('save_best', '_mean')),
    (dict(save_best='ssim_ground_truth/A2B_mean'), ('rule', 'Cannot infer')),
    (dict(save_best='ssim_ground_truth/A2B_mean', rule='bigger'), ('rule', "'bigger'")),
    (dict(save_best=['ssim_ground_truth/A2B_mean', 'ssim_ground_truth/B2A_mean'],
          rule=['greater'] * 3), ('rule', '')),
    (dict(save_best='auto'), ('rule', 'ssim_ground_truth/A2B_mean')),
    (dict(save_best=['auto', 'ssim_ground_truth/A2B_mean'], rule='greater'), ('rule', 'auto')),
])
def test_wrong_names_and_rules(checkpoint, expected, tmp_path):
    problem, = monitored_problems(config(**checkpoint))
    assert problem.startswith(f'default_hooks.checkpoint.{expected[0]} is ')
    assert expected[1] in problem and len(problem) < 800
    with pytest.raises(ValueError, match=f'default_hooks.checkpoint.{expected[0]}'):
        train(config(**checkpoint), str(tmp_path))  # before the data are looked for
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('checkpoint', [
    dict(), dict(save_best='style_accuracy/A2B_mean'), dict(save_best='auto', rule='greater'),
    dict(save_best=['ssim_exemplar/B2A_mean', 'ssim_exemplar/A2B_std'], rule=['greater', 'less']),
])
def test_right_ones(checkpoint):
    assert list(monitored_problems(config(**checkpoint))) == []


def test_early_stopping():
    hook = dict(type='EarlyStoppingHook', monitor='style_acuracy/A2B_mean', rule='greater')
    problem, = monitored_problems(config(hooks=[hook]))
    assert problem.startswith("custom_hooks.0.monitor is 'style_acuracy/A2B_mean'")
    assert 'mean style_accuracy/A2B_mean' in problem
    hook.update(monitor='ssim_exemplar/A2B_mean', rule=None)
    problem, = monitored_problems(config(hooks=[hook]))
    assert problem.startswith('custom_hooks.0.rule is None')


def test_without_validation():
    cfg = config(save_best='auto', rule='greater')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    problem, = monitored_problems(cfg)
    assert 'there is no validation' in problem


def test_names_follow_domains_prefix_and_arguments():
    cfg = config([dict(type='PixelAccuracy', thresholds=[3], prefix='p'),
                  dict(type='TranslationFID', domains=['B', 'C'])])
    cfg.model.domains = ['A', 'B', 'C']
    names = figure_names(cfg)
    assert len(names) == 6 * 2 + 2
    assert 'p/pixel_accuracy_3/C2A_std' in names and names[-2:] == ['fid/B2C', 'fid/C2B']
    assert figure_names(config(['TranslationSSIM', 'PSNR'])) is None


def test_names_of_several_data_sets():
    cfg = config()
    cfg.val_evaluator = [dict(type='Evaluator', metrics=[dict(type='TranslationFID', prefix=name)])
                         for name in ('x', 'y')]
    assert figure_names(cfg) == ['x/fid/A2B', 'x/fid/B2A', 'y/fid/A2B', 'y/fid/B2A']
