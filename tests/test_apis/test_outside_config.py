# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The registered parts in configs outside this repository, and the launchers, as users run them."""
import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import mmagic
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

REPOSITORY = Path(__file__).parents[2]
MMAGIC_TRAIN = Path(mmagic.__file__).parent / '.mim' / 'tools' / 'train.py'


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture
def config(tmp_path, data_root):
    """A config of its own: MMEngine's runner and hooks, this package by custom_imports only."""
    path = tmp_path / 'mine.py'
    path.write_text(f'''
default_scope = 'mmagic'
custom_imports = dict(imports=['egscit_mm'], allow_failed_imports=False)
keys = ['img_A', 'img_B']
network = dict(base_channels=4, num_downsamples=1, num_blocks=1)
side = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
model = dict(
    type='EGSCIT',
    generator=dict(
        type='ExemplarTranslator',
        eta=1,
        adain=None,
        encoder=dict(type='ContentEncoder', **network),
        decoder=dict(type='ImageDecoder', **network)),
    discriminator=dict(type='DomainDiscriminators', base_channels=4, num_convs=2),
    data_preprocessor=dict(type='DataPreprocessor', output_channel_order='RGB', data_keys=None))
train_dataloader = dict(
    batch_size=6,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ExemplarImageDataset',
        data_root={str(data_root)!r},
        pipeline=[*[dict(type='LoadImageFromFile', key=key) for key in keys],
                  dict(type='PackInputs', keys=keys)]))
optim_wrapper = dict(
    constructor='AlternatingOptimWrapperConstructor', generators=side, discriminators=side)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False))
log_processor = dict(by_epoch=False)
work_dir = {str(tmp_path / 'work')!r}
''')
    return path


def command(*args, fails=False, **env):
    """Runs a command as a user would; its output is shown if it does not end as it should."""
    done = subprocess.run(
        [str(arg) for arg in args], cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPOSITORY),
             'PYTHON': sys.executable, **env})
    assert bool(done.returncode) == fails, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def test_plain_runner_trains_and_resumes(config, tmp_path):
    cfg = Config.fromfile(config)
    Runner.from_cfg(cfg).train()
    first = torch.load(tmp_path / 'work' / 'iter_2.pth', weights_only=True)

    cfg = Config.fromfile(config)
    cfg.train_cfg.max_iters = 4
    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    runner.train()
    last = torch.load(tmp_path / 'work' / 'iter_4.pth', weights_only=True)
    assert runner.iter == 4
    steps = [
        {int(state['step']) for state in checkpoint['optimizer']['generators']['state'].values()}
        for checkpoint in (first, last)
    ]
    assert steps == [{10}, {20}]  # 5 generator updates per iteration, carried on


@pytest.mark.slow
@pytest.mark.skipif(not MMAGIC_TRAIN.is_file(), reason='MMagic was installed without its tools')
def test_mmagics_own_train_script(config, tmp_path):
    command(sys.executable, '-m', 'egscit_mm.run', MMAGIC_TRAIN, config)
    assert (tmp_path / 'work' / 'iter_2.pth').is_file()


@pytest.mark.slow
def test_dist_train_on_two_ranks(tmp_path, monkeypatch):
    data_root = write_tiny_digits(tmp_path / 'data', test=5)  # two ranks do not divide it
    for stage in ('vaegan', 'egscit'):
        cfg = Config.fromfile(REPOSITORY / 'configs' / 'egscit' / f'{stage}_quickstart.py')
        cfg.merge_from_dict(tiny_model_options(stage))
        cfg.merge_from_dict({
            key: value
            for key, value in tiny_options(data_root, iters=2).items()
            if cfg.get(key.split('.')[0]) is not None
        })
        cfg.dump(tmp_path / f'{stage}_quickstart.py')
    work_dir = tmp_path / 'work'
    command('bash', 'tools/dist_train.sh', tmp_path / 'egscit_quickstart.py', 2, '--work-dir',
            work_dir, PORT='29611')
    assert (work_dir / 'vaegan_quickstart' / 'iter_2.pth').is_file()

    arguments = [tmp_path / 'egscit_quickstart.py', work_dir / 'iter_2.pth']
    common = ['--work-dir', work_dir, '--out']
    command('bash', 'tools/dist_test.sh', *arguments, 2, *common, tmp_path / 'two.json',
            PORT='29612')
    monkeypatch.setattr(sys, 'argv', [
        'test.py', *map(str, [*arguments, *common, tmp_path / 'one.json'])])
    runpy.run_path(str(REPOSITORY / 'tools' / 'test.py'))['main']()
    one, two = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('one', 'two'))
    assert 'ssim_ground_truth/A2B' in one and one.keys() == two.keys()
    assert one.pop('checkpoint') == two.pop('checkpoint')
    for name, figures in one.items():
        assert two[name] == pytest.approx(figures, rel=1e-5), name


@pytest.mark.slow
def test_a_dying_rank_ends_the_job_with_its_own_error(config, tmp_path):
    (tmp_path / 'dying.py').write_text("""
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class DyingHook(Hook):
    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 1 and get_rank() == 1:
            raise ValueError('broken on purpose')
""")
    config.write_text(config.read_text().replace("['egscit_mm']", "['egscit_mm', 'dying']")
                      + "custom_hooks = [dict(type='mmengine.DyingHook')]\n")
    start = time.monotonic()
    output = command('bash', 'tools/dist_train.sh', config, 2, fails=True, PORT='29613',
                     PYTHONPATH=f'{REPOSITORY}{os.pathsep}{tmp_path}')
    assert 'ValueError: broken on purpose' in output
    assert time.monotonic() - start < 120  # torch.distributed would give up after 30 minutes


def test_stage2_without_stage1_names_the_command(config, tmp_path):
    cfg = Config.fromfile(config)
    cfg.model.generator.update(eta=0.5, adain='std')
    runner = Runner.from_cfg(cfg)
    with pytest.raises(RuntimeError, match='python tools/train.py'):
        runner.train()
