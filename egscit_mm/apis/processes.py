# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trainings and evaluations as processes of their own, with a log file and a progress bar each."""
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional, Tuple

from tqdm import tqdm

LOG_TAIL = 15  # lines shown of a failed process
POLL_SECONDS = 0.2
BAR_SECONDS = 5  # between two redrawings: bars end in log files, too
PROGRESS_BYTES = 4096  # the last iteration is in this much of a log's end
# As MMEngine logs it: "Iter(train) [ 120/300]  lr: ..."
_ITERATION = re.compile(r'Iter\((?:train|test)\)\s*\[\s*(\d+)/(\d+)\]')
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class ProcessError(RuntimeError):
    """A process that another one needs has failed."""


def run_logged(command: list, log: Path, title: str) -> None:
    """Runs a command to its end.

    Ctrl-C, or any other exception here, reaches the command as one SIGTERM, and is waited for: a
    training then saves a checkpoint. On Linux the command is killed if this process dies.

    Args:
        command (list): The command line.
        log (Path): File to which its output is appended. Where MMEngine's iterations appear in it,
            a bar shows them, with ETA.
        title (str): Of the progress bar.

    Raises:
        ProcessError: If the command fails; with the end of its output.
    """
    command = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, 'a', encoding='utf-8') as file:
        print('$', *command, file=file, flush=True)
        start = os.path.getsize(log)
        print(f'{title} (log: {log})', flush=True)
        # In a session of its own: Ctrl-C would reach it there, too, and the second signal stops a
        # training at once.
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                   start_new_session=True, preexec_fn=_die_with_parent)
        try:
            _watch(process, log, start, title)
        except BaseException:
            print(f'\n{title} is being stopped', flush=True)
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        tail = log.read_text(encoding='utf-8', errors='replace').splitlines()[-LOG_TAIL:]
        raise ProcessError('\n'.join(
            [*tail, '', f'{" ".join(command[:3])} failed; {log} has all of its output.']))


def _watch(process: subprocess.Popen, log: Path, start: int, title: str) -> None:
    """Shows the iterations in a log until the process has ended."""
    bar = None
    while True:
        ended = process.poll() is not None
        iteration = last_iteration(log, start)
        if iteration and bar is None:
            # A resumed training does not start at 0, which the ETA must know.
            bar = tqdm(total=iteration[1], initial=iteration[0], desc=title,
                       mininterval=BAR_SECONDS)
        elif iteration:
            bar.update(iteration[0] - bar.n)
        if ended:
            break
        time.sleep(POLL_SECONDS)
    if bar is not None:
        bar.close()


def _die_with_parent() -> None:
    """Else a training that outlives its parent would write beside the one that resumes it."""
    if sys.platform == 'linux':
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def last_iteration(log: Path, start: int = 0) -> Optional[Tuple[int, int]]:
    """The last iteration in a log of MMEngine.

    Args:
        log (Path): The file.
        start (int): Bytes at its beginning that do not count. Defaults to 0.

    Returns:
        tuple[int, int] | None: The iteration and the last one to come.
    """
    with open(log, 'rb') as file:
        file.seek(max(start, os.path.getsize(log) - PROGRESS_BYTES))
        found = _ITERATION.findall(file.read().decode(errors='replace'))
    return (int(found[-1][0]), int(found[-1][1])) if found else None
