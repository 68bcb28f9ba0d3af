# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import random
import socket
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

# First of all, as in a config: it makes MMagic importable.
import egscit_mm  # noqa: F401

torch.set_num_threads(1)
# Files of many tests that take seconds each; those with slow ones are found by their marker.
LONG = {'test_benchmark.py', 'test_export_onnx.py'}
# Tests that several files inherit explain themselves when they fail, too.
pytest.register_assert_rewrite('converter_contract', 'metric_contract')


def pytest_addoption(parser):
    parser.addoption('--renew-golden', action='store_true',
                     help='record anew what the golden_*.json files of tests hold')


def pytest_collection_modifyitems(items):
    # Files that take long first: last, they would leave the other processes without work.
    long = {item.path for item in items
            if item.get_closest_marker('slow') or item.path.name in LONG}
    items.sort(key=lambda item: item.path not in long)
    for item in items:
        if item.get_closest_marker('gpu') and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason='needs a GPU'))


@pytest.fixture(autouse=True)
def seeds():
    """Every test draws the same random numbers, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def float32():
    """As where the CPU has no AMX: nothing computes in bfloat16 by itself.

    Not by the test's own monkeypatch, which would then be undone after all other fixtures.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('egscit_mm.utils.cpu.computes_in_amx', lambda: False)
        yield


@pytest.fixture(autouse=True, scope='session')
def plain_config_texts():
    """Formatting a config, for the log and for each checkpoint, takes most of a tiny training."""
    with pytest.MonkeyPatch.context() as patch:
        # mmengine has it by name, onedl-mmengine looks it up in yapf.
        for name in ('mmengine.config.config.FormatCode', 'yapf.yapflib.yapf_api.FormatCode'):
            patch.setattr(name, lambda text, **kwargs: (text, False), raising=False)
        yield


@pytest.fixture(autouse=True, scope='session')
def no_collection_for_datasets():
    """MMEngine collects garbage with every dataset: a tenth of a second among all the imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.dataset.base_dataset.gc', SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture(autouse=True, scope='session')
def trainings_of_their_own():
    """MMEngine names a training after its config and the second; tiny ones share a second.

    They would share the list of the checkpoints to keep, too, and the log.
    """
    released, number = Runner.setup_env, count()

    def setup_env(self, env_cfg):
        released(self, env_cfg)
        self._timestamp += f'_{next(number)}'

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, 'setup_env', setup_env)
        yield


@pytest.fixture(autouse=True, scope='module')
def mmagic_scope():
    """Configs name MMagic's parts without their scope, as a Runner sets it."""
    init_default_scope('mmagic')


@pytest.fixture
def torchrun_environment(monkeypatch):
    """What torchrun --nproc_per_node 1 sets; the process group is destroyed in the end."""
    with socket.socket() as probe:
        probe.bind(('localhost', 0))
        port = probe.getsockname()[1]
    for name, value in dict(RANK=0, LOCAL_RANK=0, WORLD_SIZE=1, MASTER_ADDR='localhost',
                            MASTER_PORT=port).items():
        monkeypatch.setenv(name, str(value))
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
