# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'tools' / 'slurm_train.sh'


@pytest.fixture
def run(tmp_path):
    """The script with a srun that prints its arguments, one per line."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)

    def run(*args, **environment):
        return subprocess.run(
            ['bash', SCRIPT, *args], capture_output=True, text=True,
            env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', **environment})

    return run


def test_one_task_per_gpu(run):
    lines = run('part', 'digits', 'a config.py', '--resume', '--cfg-options', 'a=b c',
                GPUS='16', PYTHON='py').stdout.splitlines()
    assert lines == [
        '--partition=part', '--job-name=digits', '--gres=gpu:8', '--ntasks=16',
        '--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1', 'py', '-u',
        str(SCRIPT.parent / 'train.py'), 'a config.py', '--launcher', 'slurm', '--resume',
        '--cfg-options', 'a=b c'
    ]


def test_fewer_gpus_than_a_node_has(run):
    lines = run('part', 'job', 'config.py', GPUS='2', CPUS_PER_TASK='3',
                SRUN_ARGS='--quiet --time=1:00').stdout.splitlines()
    assert {'--gres=gpu:2', '--ntasks=2', '--ntasks-per-node=2', '--cpus-per-task=3', '--quiet',
            '--time=1:00'} <= set(lines)


def test_usage(run):
    result = run('part', 'job')
    assert result.returncode == 2 and 'Usage: bash tools/slurm_train.sh' in result.stderr
