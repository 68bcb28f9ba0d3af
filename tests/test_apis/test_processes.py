# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import sys
import time
from types import SimpleNamespace

import pytest

from egscit_mm.apis import processes
from egscit_mm.apis.processes import ProcessError, last_iteration, run_logged


def test_output_goes_to_the_log(tmp_path):
    log = tmp_path / 'logs' / 'x.log'
    for word in ('one', 'two'):
        run_logged([sys.executable, '-c', f'import sys; print("{word}", flush=True); '
                    f'print("error {word}", file=sys.stderr)'], log, 'title')
    lines = log.read_text().splitlines()
    assert lines[0].startswith(f'$ {sys.executable} -c')
    assert [line for line in lines if not line.startswith('$')] == [
        'one', 'error one', 'two', 'error two']


def test_failure_shows_the_end_of_the_log(tmp_path):
    command = [sys.executable, '-c', 'print(*range(100), sep="\\n"); raise SystemExit("broken")']
    with pytest.raises(ProcessError, match=r'(?s)^8[0-9].*99\nbroken\n.* failed; .*x\.log has'):
        run_logged(command, tmp_path / 'x.log', 'title')


def test_bar_shows_the_iterations(tmp_path, capsys):
    """Those of this run, not of an earlier one in the same log."""
    log = tmp_path / 'x.log'
    log.write_text('INFO - Iter(train) [280/300]  lr: 1e-5\n')
    line = 'INFO - Iter(train) [ {}/300]  lr: 1e-5'
    code = (f'import time; print("{line.format(120)}", flush=True); time.sleep(1); '
            f'print("{line.format(130)}")')
    run_logged([sys.executable, '-c', code], log, 'method')
    shown = capsys.readouterr()
    assert f'method (log: {log})' in shown.out
    assert '120/300' in shown.err and '130/300' in shown.err and '280' not in shown.err


@pytest.mark.parametrize('stop', [KeyboardInterrupt, SystemExit])
def test_a_stopped_command_may_save_first(tmp_path, monkeypatch, stop):
    ready, saved = tmp_path / 'ready', tmp_path / 'saved'
    code = f"""
import pathlib, signal, sys, time
def save(*_):
    time.sleep(0.5)
    pathlib.Path({str(saved)!r}).touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
pathlib.Path({str(ready)!r}).touch()
time.sleep(60)
"""

    def sleep(seconds):
        time.sleep(seconds)
        if ready.exists():
            raise stop

    monkeypatch.setattr(processes, 'time', SimpleNamespace(sleep=sleep))
    with pytest.raises(stop):
        run_logged([sys.executable, '-c', code], tmp_path / 'x.log', 'title')
    assert saved.exists()


def test_ctrl_c_in_the_terminal_does_not_reach_the_command(tmp_path):
    log = tmp_path / 'x.log'
    run_logged([sys.executable, '-c', 'import os; print(os.getsid(0) == os.getpid())'], log, 'x')
    assert log.read_text().endswith('True\n')


def test_last_iteration(tmp_path):
    log = tmp_path / 'x.log'
    log.write_text('Iter(train) [   2/1200]  lr: 1\nIter(val) [8/9]\nIter(test) [20/125] eta\n')
    assert last_iteration(log) == (20, 125)
    with open(log, 'a') as file:
        file.write('x' * 5000)
    assert last_iteration(log) is None  # long ago
    log.write_text('Iter(train) [  12/1200]  lr: 1\n')
    assert last_iteration(log) == (12, 1200) and last_iteration(log, start=10) is None
