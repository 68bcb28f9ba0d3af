# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Ctrl-C and the signal of a job scheduler, as a question instead of an interruption."""
import os
import signal
import threading
from contextlib import AbstractContextManager
from typing import Callable, Optional

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, get_world_size
from mmengine.logging import print_log


class StopSignals(AbstractContextManager):
    """Within this context SIGINT and SIGTERM are noted; the second one acts as it did before.

    Python allows handlers in its main thread only: in another one nothing is caught.
    """

    def __init__(self):
        self.received: Optional[int] = None
        self._handlers = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception):
        self._restore()

    def _note(self, number, frame):
        self.received = number
        self._restore()
        print_log(f'{signal.Signals(number).name}: the training ends after this iteration, with a '
                  'checkpoint. Again: it ends at once, without.', 'current')

    def _restore(self):
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def on_any_rank(self) -> Optional[int]:
        """The signal that this process or, in distributed training, any other has received.

        All ranks have to ask at the same iteration, and all get the same answer.
        """
        if get_world_size() == 1:
            return self.received
        number = torch.tensor(self.received or 0, device=get_device())
        all_reduce(number, 'max')
        return number.item() or None


def leave_signals_to_parent(worker_init_fn: Optional[Callable[[int], None]],
                            worker_id: int) -> None:
    """Called in each worker of a dataloader, which goes on at SIGINT and at SIGTERM of others.

    A scheduler sends them to all processes of a job. A worker that dies of it would end the
    training with an error before it could save. The parent's own SIGTERM still ends it: Python
    sends it at its end, and waits.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):  # not on macOS and Windows
        # Only a signal that is waited for tells who sent it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if worker_init_fn is not None:
        worker_init_fn(worker_id)


def _end_with_parent() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)
