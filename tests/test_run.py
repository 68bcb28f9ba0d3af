# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""``python -m egscit_mm.run``, alone and around MMagic's own tools/train.py."""
import os
import subprocess
import sys
from pathlib import Path

import mmagic
import numpy as np
import pytest
import torch
from PIL import Image

import egscit_mm
from egscit_mm import __main__ as command_line
from egscit_mm import compat, run

SCRIPT = '''
import sys
import beside
print(__name__, __file__, sys.argv, beside.value)
sys.exit(7)
'''


@pytest.fixture
def script(tmp_path, monkeypatch):
    (tmp_path / 'script.py').write_text(SCRIPT)
    (tmp_path / 'beside.py').write_text('value = "found"')
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    yield str(tmp_path / 'script.py')
    sys.modules.pop('beside', None)


@pytest.fixture
def launchers(monkeypatch):
    """The launchers that init_cpu_distributed was called with, which does nothing here."""
    calls = []
    monkeypatch.setattr(compat, 'init_cpu_distributed', calls.append)
    return calls


@pytest.mark.parametrize('args, launcher', [
    (['cfg.py', '--resume', '--help'], 'none'),
    (['--launcher', 'pytorch', 'cfg.py'], 'pytorch'),
    (['cfg.py', '--launcher=slurm', '-x'], 'slurm'),
])
def test_script_runs_as_main_with_its_arguments(script, launchers, capsys, args, launcher):
    with pytest.raises(SystemExit) as status:
        run.main([script, *args])
    assert status.value.code == 7
    assert capsys.readouterr().out.strip() == f'__main__ {script} {[script, *args]} found'
    assert launchers == [launcher]


def test_missing_script_is_named(tmp_path, launchers, capsys):
    with pytest.raises(SystemExit) as status:
        run.main([str(tmp_path / 'missing.py'), '--launcher', 'pytorch'])
    assert status.value.code == 2 and not launchers
    assert f'there is no script {tmp_path / "missing.py"}' in capsys.readouterr().err


def test_module_imports_the_package_before_the_script(tmp_path):
    (tmp_path / 'script.py').write_text('import sys; print("egscit_mm.compat" in sys.modules)')
    out = subprocess.run(
        [sys.executable, '-m', 'egscit_mm.run', 'script.py'], cwd=tmp_path, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}, capture_output=True)
    assert out.stdout.strip() == 'True', out.stderr


CONFIG = '''
default_scope = 'mmagic'
generator = dict(type='ResnetGenerator', in_channels=3, out_channels=3, base_channels=2,
                 norm_cfg=dict(type='IN'), num_blocks=1, init_cfg=dict(type='normal', gain=0.02))
discriminator = dict(type='PatchDiscriminator', in_channels=3, base_channels=2, num_conv=1,
                     norm_cfg=dict(type='BN'), init_cfg=dict(type='normal', gain=0.02))
model = dict(type='CycleGAN', generator=generator, discriminator=discriminator,
             default_domain='A', reachable_domains=['A', 'B'], related_domains=['A', 'B'],
             data_preprocessor=dict(type='DataPreprocessor', data_keys=['img_A', 'img_B']),
             loss_config=dict(cycle_loss_weight=10., id_loss_weight=0.))
pipeline = [dict(type='LoadImageFromFile', key=key) for key in ('img_A', 'img_B')]
pipeline += [dict(type='PackInputs', keys=['img_A', 'img_B'], data_keys=[])]
train_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='UnpairedImageDataset', data_root=DATA, pipeline=pipeline,
                 domain_a='A', domain_b='B'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
optimizer = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
optim_wrapper = dict(constructor='MultiOptimWrapperConstructor', generators=optimizer,
                     discriminators=optimizer)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False))
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel', find_unused_parameters=True)
'''


@pytest.mark.skipif(torch.cuda.is_available(), reason='trains on the CPU')
@pytest.mark.usefixtures('torchrun_environment')
def test_mmagic_trains_cyclegan_with_a_launcher_and_resumes_without(tmp_path, monkeypatch):
    for folder in ('trainA', 'trainB'):
        (tmp_path / folder).mkdir()
        image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / folder / '0.png')
    config, work = tmp_path / 'cyclegan.py', tmp_path / 'work'
    config.write_text(CONFIG.replace('DATA', repr(str(tmp_path))))
    train = [str(Path(mmagic.__file__).parent / '.mim' / 'tools' / 'train.py'), str(config),
             '--work-dir', str(work)]
    if not Path(train[0]).is_file():
        pytest.skip('MMagic was installed without its tools')
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setattr(sys, 'path', list(sys.path))

    run.main([*train, '--launcher', 'pytorch'])
    assert torch.distributed.get_backend() == 'gloo'
    torch.distributed.destroy_process_group()
    weights = torch.load(work / 'iter_1.pth', weights_only=True)['state_dict']
    assert weights['generators.A.model.0.conv.weight'].std().item() == pytest.approx(0.02, rel=0.3)

    run.main([*train, '--resume', '--cfg-options', 'train_cfg.max_iters=2'])
    resumed = torch.load(work / 'iter_2.pth', weights_only=True)
    assert len(resumed['message_hub']['log_scalars']['train/cycle_loss']['log_history']) == 2
    for name, value in weights.items():
        # one step of Adam at a rate of 1e-4 apart: the weights were resumed, not initialised anew
        if name.endswith('weight'):
            assert torch.allclose(resumed['state_dict'][name], value, atol=2e-4), name


# --------------------------------------------------------------- python -m egscit_mm COMMAND
def test_a_tool_runs_by_its_name(tmp_path, monkeypatch, capsys, launchers):
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    with pytest.raises(SystemExit) as status:
        command_line.main(['dataset_converters/mnist', '--help'])
    assert status.value.code == 0 and 'MNIST-Multiple' in capsys.readouterr().out
    with pytest.raises(SystemExit, match="There is no command 'trian'"):
        command_line.main(['trian', 'config.py'])
    command_line.main(['--help'])
    assert {'train', 'test', 'translate'} <= set(capsys.readouterr().out.split())


def test_only_what_runs_is_a_command():
    for name, path in command_line.commands().items():
        assert "__name__ == '__main__'" in path.read_text(), name


def test_a_built_package_works_in_an_empty_folder(tmp_path):
    built, empty = tmp_path / 'built', tmp_path / 'empty'
    empty.mkdir()
    subprocess.run([sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', built],
                   cwd=Path(egscit_mm.__file__).parents[1], check=True, timeout=120)
    result = subprocess.run(
        [sys.executable, '-m', 'egscit_mm', 'test', 'configs/egscit/egscit_quickstart.py',
         'no.pth'], cwd=empty, env={**os.environ, 'PYTHONPATH': str(built)}, capture_output=True,
        text=True, timeout=300)
    # The config was found inside the package, and the checkpoint looked for.
    assert 'no.pth' in result.stderr and 'egscit_quickstart.py' not in result.stderr, result.stderr
    assert result.returncode == 1
