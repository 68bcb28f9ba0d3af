# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The reduced rows of tools/reproduce.py differ in nothing but the method.

Style transfer, which has no updates of discriminators, is in test_configs.py.
"""
from pathlib import Path

import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

CONFIGS = Path(__file__).parents[1] / 'configs' / 'egscit'
RECIPES = {'mnist_single': 'egscit_quickstart', 'mnist_multi': 'egscit_mnist_multi_reduced',
           'streets': 'egscit_streets_reduced'}
SHARED = ('train_dataloader', 'test_dataloader', 'test_evaluator', 'optim_wrapper', 'train_cfg',
          'param_scheduler', 'randomness', 'val_cfg', 'val_dataloader')
ROWS = [path for path in sorted(CONFIGS.glob('*_reduced.py'))
        if not path.stem.startswith(('vaegan', 'neural_style', 'adain_style', 'wct'))
        and any(task in path.stem for task in RECIPES)]


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('path', ROWS, ids=lambda path: path.stem)
def test_a_reduced_config_has_the_recipe_and_a_paper_config(path):
    task = next(task for task in RECIPES if task in path.stem)
    cfg, recipe = load(path.stem), load(RECIPES[task])
    paper = load(path.stem.removesuffix('_reduced'))
    assert cfg.model.type == paper.model.type
    with torch.device('meta'):  # no numbers are needed
        model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper.copy())
    assert {'generators', 'discriminators'} <= set(wrapper.keys())
    if 'drit' in path.stem:
        # A third side, at DRIT's share of the rate.
        own = cfg.optim_wrapper.pop('content_discriminator')
        assert own.optimizer.lr == 0.4 * recipe.optim_wrapper.generators.optimizer.lr
        # Two generator updates per iteration.
        assert 2 * cfg.train_cfg.max_iters == (
            recipe.model.generator_steps * recipe.train_cfg.max_iters)
        cfg.train_cfg = recipe.train_cfg
    for side in ('generators', 'discriminators'):
        optimizer = cfg.optim_wrapper[side].optimizer
        # The method's own weight decay.
        decays = path.stem.startswith(('munit', 'drit'))
        assert optimizer.pop('weight_decay', None) == (1e-4 if decays else None)
    if path.stem.startswith('augmented'):  # its own clipping, and a fifth for its discriminators
        rates = [side.optimizer.lr for side in (cfg.optim_wrapper.generators,
                                                cfg.optim_wrapper.discriminators)]
        assert rates[1] == pytest.approx(rates[0] / 5)
        cfg.optim_wrapper.discriminators.optimizer.lr = 4e-4
        for side in ('generators', 'discriminators'):
            assert cfg.optim_wrapper[side].pop('clip_grad') == dict(max_norm=500)
    if path.stem.startswith('cddit'):  # the same digits in pairs, neither flipped nor cropped
        assert cfg.train_dataloader.dataset.pop('pairs')
        assert cfg.train_dataloader.dataset.pipeline == cfg.test_pipeline
        cfg.train_dataloader.dataset.pipeline = recipe.train_dataloader.dataset.pipeline
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            assert loader.dataset.data_root == f'{recipe.train_dataloader.dataset.data_root}_pairs'
            loader.dataset.data_root = recipe.train_dataloader.dataset.data_root
    # One generator update per iteration, on one minibatch.
    if path.stem.startswith(('cyclegan', 'augmented', 'cddit')):
        steps = recipe.model.generator_steps
        cfg.train_dataloader.batch_size *= steps + recipe.model.discriminator_steps
        assert cfg.train_cfg.max_iters == steps * recipe.train_cfg.max_iters
        cfg.train_cfg = recipe.train_cfg
    for key in SHARED:
        assert cfg.get(key) == recipe.get(key), key


@pytest.mark.parametrize('task', RECIPES)
def test_networks_are_as_wide(task):
    recipe = load(RECIPES[task]).model
    width = recipe.generator.encoder.base_channels
    munit, cyclegan = (load(f'{name}_{task}_reduced').model for name in ('munit', 'cyclegan'))
    parts = [munit.generator[part] for part in ('encoder', 'style_encoder', 'decoder')]
    assert {part.base_channels for part in [*parts, cyclegan.generator]} == {width}
    assert munit.discriminator == recipe.discriminator
    assert munit.ema_config == recipe.ema_config
    assert (munit.discriminator_steps, munit.generator_steps) == (
        recipe.discriminator_steps, recipe.generator_steps)
    assert cyclegan.discriminator.base_channels == recipe.discriminator.base_channels


@pytest.mark.parametrize('task', ['mnist_single', 'streets'])
def test_drit_is_as_wide(task):
    recipe, drit = load(RECIPES[task]).model, load(f'drit_{task}_reduced').model
    width = recipe.generator.encoder.base_channels
    parts = [drit.generator[part] for part in ('encoder', 'attribute_encoder', 'decoder')]
    assert {part.base_channels for part in parts} == {width}
    assert drit.discriminator.base_channels == recipe.discriminator.base_channels
    assert drit.ema_config == recipe.ema_config


@pytest.mark.parametrize('task', ['mnist_single', 'streets'])
def test_rows_of_egscit_are_arguments_of_one_recipe(task):
    recipe = load(RECIPES[task])
    for name, part, changes in (
        ('egscit_{}', 'generator', {}),
        ('egscit_{}_wo_mask', 'generator', dict(eta=1)),
        ('egscit_{}_wo_adain', 'generator', dict(adain=None)),
        ('egscit_{}_wo_perceptual', None, dict(perceptual_loss=None)),
        ('unit_{}', 'generator', dict(eta=1, adain=None)),
    ):
        cfg, expected = load(f'{name.format(task)}_reduced'), recipe.model.to_dict()
        (expected if part is None else expected[part]).update(changes)
        if name.startswith('unit'):
            expected['perceptual_loss'] = None
            assert cfg.stage1_config is None
        else:
            assert cfg.stage1_config == recipe.stage1_config
        assert cfg.model.to_dict() == expected
