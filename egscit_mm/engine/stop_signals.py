# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Ctrl-C and the signal of a job scheduler, as a question instead of an interruption."""
import signal
import threading
from contextlib import AbstractContextManager
from typing import Optional

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
