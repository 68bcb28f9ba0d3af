# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Batches that a training or a test cannot take, and what an iteration asks of the device."""
import sys
from pathlib import Path
from unittest.mock import PropertyMock, patch

import pytest
import torch
from tiny_models import (
    merged_batch,
    optim_wrappers,
    random_batch,
    tiny_drit,
    tiny_egscit,
    tiny_munit,
    tiny_vaegan,
)

import egscit_mm


def test_training_domains_of_other_sizes_are_named_in_stage_2(tmp_path):
    batch = merged_batch([random_batch(6)])
    batch['inputs']['img_B'] = [torch.zeros(3, 32, 24, dtype=torch.uint8)] * 6
    for model in (tiny_egscit(), tiny_munit(), tiny_drit()):
        with pytest.raises(ValueError, match='images of img_A and img_B differ in size: testA/0.png'
                           r' .*\(3, 16, 16\), testB/0.png .*\(3, 32, 24\).*all domains'):
            model.train_step(batch, optim_wrappers(model))


def test_domains_have_as_many_images():
    batch = random_batch(6)
    batch['inputs']['img_B'] = batch['inputs']['img_B'][:4]
    model = tiny_egscit()
    for call in (lambda: model.train_step(batch, optim_wrappers(model)),
                 lambda: model.test_step(batch)):
        with pytest.raises(ValueError, match="numbers of images .*'img_A': 6, 'img_B': 4"):
            call()


@pytest.mark.parametrize('channels', [1, 4])
def test_grey_training_images_say_what_to_set(channels):
    batch = random_batch(2)
    batch['inputs']['img_B'] = [torch.zeros(channels, 16, 16, dtype=torch.uint8)] * 2
    model = tiny_vaegan()
    for call in (lambda: model.train_step(batch, optim_wrappers(model)),
                 lambda: model.test_step(batch)):
        with pytest.raises(ValueError, match=f'testB/0.png was loaded as .*{channels}, 16, 16'
                           ".*3 channels: set color_type='color'"):
            call()


def test_images_that_the_pipeline_has_normalised_are_refused():
    batch = random_batch(2)
    model = tiny_vaegan()
    for scale in (0., 1.):  # black images are no mistake
        floats = random_batch(2)
        floats['inputs']['img_B'] = [image * scale for image in floats['inputs']['img_B']]
        model.train_step(floats, optim_wrappers(model))
    batch['inputs']['img_B'] = [image / 127.5 - 1 for image in batch['inputs']['img_B']]
    for call in (lambda: model.train_step(batch, optim_wrappers(model)),
                 lambda: model.test_step(batch)):
        with pytest.raises(ValueError, match='testB/0.png has values .*Normalize.*pipeline'):
            call()


@pytest.mark.parametrize('samples', [{}, dict(data_samples=[])])
def test_a_batch_needs_no_samples(samples):
    """In a loop of one's own there may be images alone; they only name files."""
    for build, number in ((tiny_egscit, 6), (tiny_vaegan, 2)):
        model, batch = build(), random_batch(number)
        log = model.train_step(dict(inputs=batch['inputs'], **samples), optim_wrappers(model))
        assert log['loss_g'] > 0
        with torch.no_grad():
            next(model.generators.parameters()).fill_(float('nan'))
        with pytest.raises(FloatingPointError, match='img_A without a path, img_B without a path'):
            model.train_step(dict(inputs=batch['inputs'], **samples), optim_wrappers(model))


def test_a_side_without_optimiser_is_named():
    model = tiny_egscit()
    wrappers = optim_wrappers(model)
    with pytest.raises(ValueError, match="'generators'.*got one .*AlternatingOptimWrapperConstr"):
        model.train_step(random_batch(6), wrappers['generators'])
    with pytest.raises(ValueError, match=r"none for \['discriminators'\]: got \['generators'\]"):
        model.train_step(random_batch(6), {'generators': wrappers['generators']})


def test_feature_networks_are_asked_for_once():
    """Reading a tensor makes the processor wait for the device."""
    model = tiny_egscit(ema_config=dict(type='mmengine.ExponentialMovingAverage'))
    wrappers, batch = optim_wrappers(model), random_batch(6)
    missing = PropertyMock(return_value=False)
    with patch.object(type(model.generators), 'features_missing', missing):
        for _ in range(3):
            model.train_step(batch, wrappers)
        assert missing.call_count == 1
        model.load_state_dict(model.state_dict())  # another checkpoint
        model.train_step(batch, wrappers)
    assert missing.call_count == 2
    assert model.generators_ema.steps.device.type == 'cpu' and model.generators_ema.steps == 4


def test_an_iteration_reads_tensors_once_for_the_log(monkeypatch):
    """Of the package's own code; the libraries look at numbers that lie on the processor."""
    model = tiny_egscit(ema_config=dict(type='mmengine.ExponentialMovingAverage'))
    wrappers, batch = optim_wrappers(model), random_batch(6)
    model.train_step(batch, wrappers)
    package, read = str(Path(egscit_mm.__file__).parent), []
    for name in ('__bool__', '__float__', '__int__', 'item', 'tolist'):
        method = getattr(torch.Tensor, name)

        def recorded(tensor, *args, name=name, method=method):
            if sys._getframe(1).f_code.co_filename.startswith(package):
                read.append(name)
            return method(tensor, *args)

        monkeypatch.setattr(torch.Tensor, name, recorded)
    model.train_step(batch, wrappers)
    assert read == ['tolist']
