# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Python scripts in processes of their own that need not import PyTorch and the package again."""
import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
import time
from types import SimpleNamespace

import torch


class ForkedPython:
    """Stands in for ``subprocess.Popen([sys.executable, script, ...])``: a fork of this process.

    Its arguments are those of Popen. Output, signals and exit status are those of a process of its
    own; what was imported here is there.
    """

    def __init__(self, command, *, stdout, stderr, cwd='.', env=None, start_new_session=False,
                 preexec_fn=None):
        python, script, *arguments = map(str, command)
        assert python == sys.executable and stderr == subprocess.STDOUT

        def run():
            if start_new_session:
                os.setsid()
            if preexec_fn is not None:
                preexec_fn()
            os.chdir(cwd)
            os.environ.update(env or {})
            for number in (1, 2):
                os.dup2(stdout.fileno(), number)
            sys.stdout, sys.stderr = (open(number, 'w', buffering=1) for number in (1, 2))
            sys.argv = [script, *arguments]
            sys.path.insert(0, os.path.dirname(script))
            runpy.run_path(script, run_name='__main__')

        self._process = multiprocessing.get_context('fork').Process(target=run)
        self._process.start()
        self.pid = self._process.pid
        # As after Popen: whoever kills its session must find it.
        while start_new_session and os.getsid(self.pid) != self.pid:
            time.sleep(0.001)

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        self._process.join(timeout)
        return self.returncode

    def terminate(self):
        self._process.terminate()


def fork_scripts(monkeypatch, module):
    """Lets a tool's module fork where it starts Python scripts. CUDA does not survive a fork."""
    if not torch.cuda.is_available():
        for name in ('matplotlib.figure', 'torch._dynamo'):
            importlib.import_module(name)  # which each training would do at its start
        monkeypatch.setattr(module, 'subprocess', SimpleNamespace(
            Popen=ForkedPython, STDOUT=subprocess.STDOUT))
