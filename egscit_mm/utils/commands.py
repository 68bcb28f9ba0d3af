# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The tools of this project as commands in processes of their own."""
import ctypes
import signal
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

from ..packaged import packaged_folder

LOG_TAIL = 15  # lines shown of a failed command
_LIBC = ctypes.CDLL(None)


def tool(name: str, *arguments, options: Optional[dict] = None) -> List[str]:
    """The command line of a script of tools/, with ``options`` as its ``--cfg-options``."""
    command = [sys.executable, packaged_folder('tools') / name, *arguments]
    if options:
        command += ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    return [str(word) for word in command]


def run_logged(command: List[str], log: Path, title: str) -> None:
    """Runs a command to its end, its output in a log file.

    Ctrl-C, or any other exception here, reaches the command as one SIGTERM, and is waited for: a
    training then saves a checkpoint. On Linux it is killed if this process is: it would write
    beside the one that resumes it.

    Raises:
        SystemExit: If the command fails, with the end of its output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f'{title} (log: {log})', flush=True)
    with open(log, 'a', encoding='utf-8') as file:
        print('$', *command, file=file, flush=True)
        # In a session of its own: Ctrl-C would reach it there, too, and the second signal stops a
        # training at once.
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                   start_new_session=True, preexec_fn=_die_with_parent)
        try:
            process.wait()
        except BaseException:
            print(f'{title} is being stopped', flush=True)
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        tail = log.read_text(encoding='utf-8', errors='replace').splitlines()[-LOG_TAIL:]
        what, remedy = 'failed', 'Mend what it names, then type'
        # The second is how shells and trainings tell it.
        number = -process.returncode if process.returncode < 0 else process.returncode - 128
        if number in set(signal.Signals):
            what, remedy = f'was ended by signal {number}', 'Type'
        raise SystemExit('\n'.join([*tail, '', f'{" ".join(command[:3])} {what}; {log} has all of '
                                    f'its output. {remedy} the same command again to go on.']))


def _die_with_parent() -> None:
    if sys.platform == 'linux':
        _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of <linux/prctl.h>
