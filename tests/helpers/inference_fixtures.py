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
