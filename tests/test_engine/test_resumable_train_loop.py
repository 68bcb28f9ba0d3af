# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

from egscit_mm.apis.train import train
from egscit_mm.datasets import ExemplarImageDataset
from egscit_mm.engine.stop_signals import StopSignals

CONFIG = Path(__file__).parents[2] / 'configs' / 'egscit' / 'vaegan_mnist_single.py'
ITERATIONS = 6


@pytest.fixture(autouse=True)
def loggers_of_this_test():
    """Runs within one second share MMEngine's logger, whose output an earlier test captures."""
    MMLogger._instance_dict.clear()


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'), train=12)


def run(data_root, work_dir, workers=0, hook=None, config=CONFIG, **kwargs):
    """Trains, stage 1 if nothing else is given; checkpoints at 2, 4 and 6."""
    cfg = Config.fromfile(config)
    cfg.merge_from_dict({
        **{key: value for key, value in tiny_options(data_root, ITERATIONS).items()
           if not key.startswith('test')},
        **tiny_model_options('vaegan'),
        'train_dataloader.num_workers': workers,
        'train_dataloader.persistent_workers': workers > 0
    })
    if hook is None:
        return train(cfg, work_dir=str(work_dir), **kwargs)
    from_cfg = Runner.from_cfg

    def from_cfg_with_hook(cfg):
        runner = from_cfg(cfg)
        runner.register_hook(hook)
        return runner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, 'from_cfg', from_cfg_with_hook)
        return train(cfg, work_dir=str(work_dir), **kwargs)


def result(work_dir, iteration=ITERATIONS):
    checkpoint = torch.load(work_dir / f'iter_{iteration}.pth', weights_only=True)
    assert checkpoint['meta']['iter'] == iteration
    states = checkpoint['optimizer']['generators']['state']
    return {
        **checkpoint['state_dict'],
        **{f'{index}.{key}': value for index, state in states.items()
           for key, value in state.items()}
    }


def assert_identical(state, expected):
    assert state.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(state[name], expected[name])] == []


@pytest.fixture(scope='module')
def expected(data_root, tmp_path_factory):
    """Weights and moments of a training that nothing interrupts."""
    work_dir = tmp_path_factory.mktemp('expected')
    run(data_root, work_dir)
    return result(work_dir)


class KillError(Exception):
    """Stands for a kill."""


class AtIteration(Hook):
    """Calls a function in the middle of an iteration."""

    def __init__(self, iteration, function):
        self.iteration, self.function = iteration, function

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            self.function()


def kill():
    raise KillError


@pytest.mark.parametrize('workers', [0, 2])
def test_killed_and_resumed_is_identical(data_root, tmp_path, expected, workers):
    with pytest.raises(KillError):
        run(data_root, tmp_path, workers, AtIteration(5, kill))
    run(data_root, tmp_path, workers, resume=True)
    assert_identical(result(tmp_path), expected)


def test_the_seed_of_a_run_without_one_is_resumed(data_root, tmp_path):
    options = {'randomness.seed': None}
    run(data_root, tmp_path / 'whole', options=options)
    seed = torch.load(tmp_path / 'whole' / 'iter_2.pth', weights_only=True)['meta']['seed']
    (tmp_path / 'whole' / 'iter_2.pth').rename(tmp_path / 'iter_2.pth')
    runner = run(data_root, tmp_path, options=options, resume=True)
    assert runner.seed == seed
    assert_identical(result(tmp_path), result(tmp_path / 'whole'))


def test_another_seed_is_another_run(data_root, tmp_path, expected):
    run(data_root, tmp_path, options={'randomness.seed': 1})
    state = result(tmp_path)
    weights = [name for name in expected if name.endswith('weight')]
    assert not any(torch.equal(state[name], expected[name]) for name in weights)


def test_resuming_reads_no_image_that_was_trained(data_root, tmp_path, monkeypatch):
    read = []
    prepare = ExemplarImageDataset.prepare_data
    monkeypatch.setattr(ExemplarImageDataset, 'prepare_data',
                        lambda self, index: read.append(index.place) or prepare(self, index))
    run(data_root, tmp_path)
    whole, batch = list(read), len(read) // ITERATIONS
    read.clear()
    (tmp_path / f'iter_{ITERATIONS}.pth').unlink()
    run(data_root, tmp_path, resume=True)
    assert read == whole[4 * batch:]


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(data_root, tmp_path, expected, number):
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as stopped:
        run(data_root, tmp_path, hook=AtIteration(3, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.code == 128 + number
    assert signal.getsignal(number) == before
    assert {path.name for path in tmp_path.glob('iter_*.pth')} == {'iter_2.pth', 'iter_3.pth'}
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_3.pth')

    runner = run(data_root, tmp_path, resume=True)
    assert runner.iter == ITERATIONS
    assert_identical(result(tmp_path), expected)


class StopAll:
    """Sends a signal to all workers, and then to this process."""

    def __init__(self, number, workers):
        self.number, self.workers = number, workers

    def __call__(self):
        workers = multiprocessing.active_children()
        assert len(workers) == self.workers
        pids = [str(process.pid) for process in workers]
        # Not os.kill: workers end at a signal of their parent.
        subprocess.run(['kill', f'-{self.number}', *pids], check=True)
        time.sleep(0.5)
        assert all(process.is_alive() for process in workers)
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_workers_too_saves_and_stops(data_root, tmp_path, expected, number):
    """A scheduler sends SIGTERM to all processes of a job, a terminal Ctrl-C to its group."""
    with pytest.raises(SystemExit) as stopped:
        run(data_root, tmp_path, workers=2, hook=AtIteration(3, StopAll(number, 2)))
    assert stopped.value.code == 128 + number
    run(data_root, tmp_path, workers=2, resume=True)
    assert_identical(result(tmp_path), expected)


def test_a_signal_to_the_workers_of_the_validation(data_root, tmp_path):
    """They live on after it (persistent_workers)."""
    options = {
        **tiny_options(data_root, ITERATIONS, validate=True), **tiny_model_options('unit'),
        'val_dataloader.num_workers': 1, 'val_dataloader.persistent_workers': True,
        'train_cfg.val_interval': 2,
    }
    with pytest.raises(SystemExit):
        run(data_root, tmp_path, config=CONFIG.with_name('unit_mnist_single.py'), options=options,
            hook=AtIteration(3, StopAll(signal.SIGTERM, 1)))
    assert (tmp_path / 'iter_3.pth').exists()


def test_workers_end_at_the_signal_of_their_parent(data_root, tmp_path):
    """Which Python sends to those that are left at its end, and then waits for them."""
    left = []

    def stop():
        left.extend(multiprocessing.active_children())
        for process in left:
            process.terminate()
            process.join(20)
        raise KillError

    with pytest.raises(KillError):
        run(data_root, tmp_path, workers=2, hook=AtIteration(3, stop))
    assert [process.exitcode for process in left] == [0, 0]


def test_a_signal_at_a_checkpoint_is_harmless(data_root, tmp_path, expected):
    with pytest.raises(SystemExit):
        run(data_root, tmp_path, hook=AtIteration(
            4, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    run(data_root, tmp_path, resume=True)
    assert_identical(result(tmp_path), expected)


def test_a_signal_in_the_last_iteration_lets_the_training_end(data_root, tmp_path, expected):
    run(data_root, tmp_path, hook=AtIteration(
        ITERATIONS, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert_identical(result(tmp_path), expected)


def test_the_second_signal_acts_at_once():
    # Started in the background, a process ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.on_any_rank() == signal.SIGINT
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_cannot_catch_signals():
    received = []

    def enter():
        with StopSignals() as signals:
            received.append(signals.on_any_rank())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert received == [None]


def test_a_damaged_last_checkpoint_is_noticed(data_root, tmp_path, expected, capfd):
    run(data_root, tmp_path)
    last = tmp_path / f'iter_{ITERATIONS}.pth'
    last.write_bytes(last.read_bytes()[:-1000])
    before = tmp_path / 'iter_4.pth'
    content = before.read_bytes()
    weight = torch.load(before, weights_only=True)['state_dict'][
        'generators.encoders.A.blocks.0.layers.0.weight'].numpy().tobytes()
    assert content.count(weight) == 1
    before.write_bytes(content.replace(weight, weight[:-1] + bytes([weight[-1] ^ 1])))
    capfd.readouterr()

    run(data_root, tmp_path, resume=True)
    output = ''.join(capfd.readouterr())
    assert f'{last} is cut off or damaged' in output
    assert f'{before} is cut off or damaged' in output
    assert f'Load checkpoint from {tmp_path / "iter_2.pth"}' in output
    assert_identical(result(tmp_path), expected)


def test_nothing_to_resume_is_said(data_root, tmp_path, expected, capfd):
    (tmp_path / 'last_checkpoint').write_text('')
    run(data_root, tmp_path, resume=True)
    assert 'holds no checkpoint to resume' in ''.join(capfd.readouterr())
    assert_identical(result(tmp_path), expected)


def test_a_full_disk_ends_the_run_with_the_last_good_checkpoint(data_root, tmp_path, monkeypatch):
    replace = os.replace

    def full(written, place):
        if os.path.basename(place) == 'iter_4.pth':
            raise OSError(28, 'No space left on device')
        replace(written, place)

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OSError, match='No space left on device') as error:
        run(data_root, tmp_path)
    assert str(tmp_path / 'iter_4.pth') in str(error.value)
    assert f'the last whole checkpoint ({tmp_path / "iter_2.pth"})' in str(error.value)
    assert sorted(path.name for path in tmp_path.glob('iter_*')) == ['iter_2.pth']
    monkeypatch.setattr(os, 'replace', replace)
    assert run(data_root, tmp_path, resume=True).iter == ITERATIONS


def test_a_disk_that_is_full_before_the_first_checkpoint(data_root, tmp_path, monkeypatch):
    def full(written, place):
        if os.path.basename(place).startswith('iter_'):
            raise OSError(28, 'No space left on device')
        replace(written, place)

    replace = os.replace
    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OSError, match='starts anew: no checkpoint is whole'):
        run(data_root, tmp_path)


def test_one_checkpoint_is_not_enough(data_root, tmp_path):
    with pytest.raises(ValueError, match='default_hooks.checkpoint.max_keep_ckpts=1'):
        run(data_root, tmp_path, options={'default_hooks.checkpoint.max_keep_ckpts': 1})


def test_a_training_with_the_loop_of_mmengine_still_works(data_root, tmp_path):
    runner = run(data_root, tmp_path, options={'train_cfg.type': 'IterBasedTrainLoop'})
    assert isinstance(runner, Runner) and runner.iter == ITERATIONS
