# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What holds for every method beside EGSC-IT that is trained in turns."""
import re

import pytest
import torch
from mmagic.models.base_models import BaseTranslationModel
from mmengine.optim import OptimWrapperDict
from mmengine.runner import load_checkpoint
from tiny_models import (
    changed,
    optim_wrappers,
    random_batch,
    random_images,
    snapshot,
    tiny_augmented,
    tiny_cddit,
    tiny_drit,
    tiny_egscit,
    tiny_munit,
)

from egscit_mm.engine import AutocastOptimWrapper

EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)
BUILDERS = dict(MUNIT=tiny_munit, DRIT=tiny_drit, AugmentedCycleGAN=tiny_augmented,
                CDDIT=tiny_cddit)
# What a picture during training shows beside content, exemplar and translation.
ROWS = dict(MUNIT=['reconstruction', 'cycle'], DRIT=['reconstruction', 'cycle'],
            AugmentedCycleGAN=['cycle'], CDDIT=[])
# Differences of scores do not depend on the critics' last bias.
UNTRAINED = dict(CDDIT=r'discriminators\..*\.4\.bias')


@pytest.fixture(params=list(BUILDERS))
def name(request):
    return request.param


@pytest.fixture
def build(name):
    return BUILDERS[name]


@pytest.mark.parametrize('build', [tiny_munit, tiny_augmented, tiny_cddit])  # test_drit.py has more
@pytest.mark.parametrize('steps, side', [((1, 0), 'discriminators'), ((0, 1), 'generators')])
def test_an_update_leaves_the_other_side_untouched(build, steps, side):
    model = build(discriminator_steps=steps[0], generator_steps=steps[1])
    before = snapshot(model)
    model.train_step(random_batch(2), optim_wrappers(model))
    names = changed(before, snapshot(model))
    assert names and all(name.startswith(f'{side}.') for name in names)


@pytest.mark.parametrize('domains', [('A', 'B'), ('day', 'dusk', 'night')])
def test_every_parameter_is_trained(name, build, domains):
    model = build(domains=domains)
    wrappers = optim_wrappers(model, lr=1e-2)
    before = snapshot(model)
    for seed in range(3):
        logs = model.train_step(random_batch(6, seed=seed, domains=domains), wrappers)
        assert all(torch.tensor(value).isfinite() for value in logs.values())
    assert {f'{s}2{t}' for s, t in model.generators.directions} <= {
        key.rpartition('_')[2] for key in logs}
    trained = {key for key, _ in model.named_parameters()
               if not re.fullmatch(UNTRAINED.get(name, ''), key)}
    assert set(changed(before, snapshot(model))) >= trained


def test_bfloat16_training_is_finite(build):
    model = build()
    wrappers = OptimWrapperDict(**{
        side: AutocastOptimWrapper(
            optimizer=torch.optim.Adam(getattr(model, side).parameters(), lr=1e-3))
        for side in optim_wrappers(model).keys()
    })
    logs = model.train_step(random_batch(6), wrappers)
    assert all(torch.tensor(value).isfinite() for value in logs.values())
    assert all(p.isfinite().all() and p.dtype == torch.float32 for p in model.parameters())


def test_inference_is_guided_by_the_exemplar_and_uses_the_averaged_weights(name, build):
    model = build(ema_config=EMA).eval()
    assert isinstance(model, BaseTranslationModel)
    averaged, images = model.generators_ema.module, random_images(3)
    for parameter in model.generators.parameters():
        parameter.data.zero_()
    grids = model.rows(images)
    assert list(grids) == ['A2B', 'B2A']
    for (s, t), grid in zip(averaged.directions, grids.values()):
        expected = averaged.translate(images[s], images[t], s, t)
        assert torch.equal(model.translation(images[s], t, images[t]), expected)
        assert not torch.equal(model.translation(images[s], t, images[t].flip(0)), expected)
        assert list(grid) == ['content', 'exemplar', 'translation', *ROWS[name]]
        assert torch.equal(grid['translation'], expected)
        assert all(row.shape == (3, 3, 16, 16) for row in grid.values())
    with pytest.raises(ValueError, match=f'{name} translates after an exemplar'):
        model.translation(images['A'])


def test_checkpoint_of_another_model_is_refused(name, build, tmp_path):
    for file, model in (('own', build()), ('egscit', tiny_egscit())):
        torch.save(dict(state_dict=model.state_dict()), tmp_path / file)
    load_checkpoint(build(seed=1), str(tmp_path / 'own'), strict=True)
    with pytest.raises(ValueError, match=f'not one of this {name}'):
        load_checkpoint(build(), str(tmp_path / 'egscit'))
    with pytest.raises(ValueError, match='not one of this EGSCIT'):
        load_checkpoint(tiny_egscit(), str(tmp_path / 'own'))
