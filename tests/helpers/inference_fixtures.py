# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""A tiny trained-looking model in files, and an inferencer of it."""
from pathlib import Path

import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from tiny_data import tiny_model_options

from egscit_mm.apis import EGSCITInferencer

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'


def tiny_config(stage):
    cfg = Config.fromfile(CONFIGS / f'{stage}_quickstart.py')
    cfg.merge_from_dict(tiny_model_options(stage))
    return cfg


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """Config and checkpoint of each stage with random weights."""
    folder = tmp_path_factory.mktemp('model')
    torch.manual_seed(0)
    for stage in ('vaegan', 'egscit'):
        cfg = tiny_config(stage)
        cfg.dump(folder / f'{stage}_quickstart.py')
        model = MODELS.build(cfg.model)
        if stage == 'egscit':
            # Larger than the initial weights, so that translations differ visibly.
            for parameter in model.generators.parameters():
                torch.nn.init.normal_(parameter, std=0.2)
            model.generators_ema.module.load_state_dict(model.generators.state_dict())
        torch.save(dict(state_dict=model.state_dict()), folder / f'{stage}.pth')
    return folder


@pytest.fixture(scope='module')
def inferencer(checkpoints):
    return EGSCITInferencer(checkpoints / 'egscit_quickstart.py', str(checkpoints / 'egscit.pth'))


def randomised(module, std=0.2):
    """Larger than the initial weights, so that translations differ visibly."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=std)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Configs and checkpoints; the plain and the averaged weights of EGSCIT differ."""
    folder = tmp_path_factory.mktemp('model')
    torch.manual_seed(0)
    for name in ('vaegan_quickstart', 'egscit_quickstart', 'munit_mnist_single',
                 'drit_mnist_single', 'augmented_cyclegan_mnist_single', 'cddit_mnist_single'):
        stage = name.split('_')[0]
        cfg = Config.fromfile(CONFIGS / f'{name}.py')
        cfg.merge_from_dict(tiny_model_options(stage))
        cfg.dump(folder / f'{stage}.py')
        model = MODELS.build(cfg.model)
        randomised(model.generators)
        if getattr(model, 'generators_ema', None) is not None:
            randomised(model.generators_ema.module)
        if stage == 'egscit':
            model.generators.features_loaded.fill_(True)
            model.generators_ema.module.features_loaded.fill_(True)
        torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text),
                        optimizer=dict(generators=dict(state={}))), folder / f'{stage}.pth')
    return folder
