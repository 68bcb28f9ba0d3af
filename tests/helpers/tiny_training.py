# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Both stages of a tiny digit task, to train in seconds."""
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

from egscit_mm.apis.train import train

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture
def configs(tmp_path):
    """The digit task's configs with a tiny model, in a folder of their own; that of stage 2."""
    for stage in ('vaegan', 'egscit'):
        cfg = Config.fromfile(CONFIGS / f'{stage}_mnist_single.py')
        cfg.merge_from_dict(tiny_model_options(stage))
        cfg.dump(tmp_path / f'{stage}_mnist_single.py')
    return tmp_path / 'egscit_mnist_single.py'


def run(config, work_dir, data_root, iters=4, **kwargs):
    """Trains a config of :func:`configs`; ``options`` and others go to train()."""
    options = {**tiny_options(data_root, iters, validate=True), **kwargs.pop('options', {})}
    return train(Config.fromfile(config), work_dir=str(work_dir), options=options, **kwargs)
