# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Commands that run with a log."""
import os
import signal
import sys
import threading
import time

import pytest

from egscit_mm.utils.commands import run_logged


def test_output_goes_to_the_log(tmp_path, capsys):
    log = tmp_path / 'logs' / 'x.log'
    for word in ('one', 'two'):
        run_logged([sys.executable, '-c', f'import sys; print("{word}", flush=True); '
                    f'print("error {word}", file=sys.stderr)'], log, 'title')
    lines = log.read_text().splitlines()
    assert lines[0].startswith(f'$ {sys.executable} -c')
    assert [line for line in lines if not line.startswith('$')] == [
        'one', 'error one', 'two', 'error two']
    assert f'title (log: {log})' in capsys.readouterr().out


def test_failure_shows_the_end_of_the_log(tmp_path):
    command = [sys.executable, '-c', 'print(*range(100), sep="\\n"); raise SystemExit("broken")']
    with pytest.raises(SystemExit, match=r'(?s)^8[0-9].*99\nbroken\n.* failed; .*x\.log has'):
        run_logged(command, tmp_path / 'x.log', 'title')


@pytest.mark.parametrize('end, words', [
    ('raise SystemExit("wrong")', 'wrong\n.* failed; .* Mend what it names, then type the same'),
    ('raise SystemExit(255)', ' failed; .* Mend what it names, then type the same'),
    ('import os; os.kill(os.getpid(), 9)', ' was ended by signal 9; .*output. Type the same'),
    ('raise SystemExit(143)', ' was ended by signal 15; .*output. Type the same')])
def test_a_repetition_alone_is_advised_after_a_signal_only(tmp_path, end, words):
    with pytest.raises(SystemExit, match=f'(?s){words} command again to go on.$'):
        run_logged([sys.executable, '-c', end], tmp_path / 'x.log', 'title')


@pytest.mark.parametrize('stop', [KeyboardInterrupt, SystemExit])
def test_a_stopped_command_may_save_first(tmp_path, stop):
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

    def interrupt(*args):
        raise stop

    def when_ready():
        while not ready.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        threading.Thread(target=when_ready, daemon=True).start()
        with pytest.raises(stop):
            run_logged([sys.executable, '-c', code], tmp_path / 'x.log', 'title')
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert saved.exists()


def test_ctrl_c_in_the_terminal_does_not_reach_the_command(tmp_path):
    log = tmp_path / 'x.log'
    run_logged([sys.executable, '-c', 'import os; print(os.getsid(0) == os.getpid())'], log, 'x')
    assert log.read_text().endswith('True\n')
