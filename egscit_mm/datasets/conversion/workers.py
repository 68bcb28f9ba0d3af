# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Converting tasks, in this process or in several."""
import multiprocessing
import os
import signal
import threading
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from ...utils.errors import BadInputError
from ...utils.files import write_output
from .errors import ConversionError, LeftOutError
from .images import encode
from .plans import Job, Task
from .sources import Files


class Outcome(NamedTuple):
    """What became of a task.

    Args:
        error (type | None): The exception that kept it from being done: BadInputError,
            LeftOutError or None.
        reason (str): Its message.
        checksums (dict[str, int]): CRC-32 of the inputs by role, if the task is done.
    """

    error: Optional[type] = None
    reason: str = ''
    checksums: dict[str, int] = {}


def outcomes_of(job: Job, tasks: list[Task], out: Path, workers: int) -> Iterator[Outcome]:
    """Convert tasks.

    Yields:
        Outcome: Of each task, in order.

    Raises:
        ConversionError: If nothing more can be written, or a worker was killed.
    """
    convert = partial(_convert_task, job.sources, job.render, out)
    try:
        yield from map_in_workers(convert, tasks, workers)
    except BrokenProcessPool as error:
        raise ConversionError('a worker process was killed, perhaps for lack of memory. What is '
                              'done is kept: run the same command with fewer --workers') from error


def map_in_workers(function: Callable, items: Iterable, workers: int,
                   chunksize: int = 8) -> Iterator:
    """``map(function, items)`` in worker processes.

    Args:
        function (Callable): Handed to each worker once, with all that is bound to it.
        items (Iterable): What it is called with.
        workers (int): Worker processes, 0 for none.
        chunksize (int): Items handed to a worker at a time. Defaults to 8.

    Yields:
        What the function returns, in the order of the items.

    Raises:
        BrokenProcessPool: If a worker was killed.
    """
    if workers == 0:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(function, )) as pool:
        yield from pool.map(_run_in_worker, items, chunksize=chunksize)


def _start_worker(function: Callable) -> None:
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it lets them finish
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that is killed cannot tell: its workers would do all their tasks, then wait for ever.
    multiprocessing.parent_process().join()
    os._exit(1)


def _run_in_worker(item: Any) -> Any:
    return _function(item)


def _convert_task(sources: dict[str, Files], render: Callable, out: Path,
                  task: Task) -> Outcome:
    contents = {}
    try:
        for role, (source, name) in task.inputs.items():
            contents[role] = sources[source].read(name)
        images = render(contents)
    except (BadInputError, LeftOutError) as reason:
        return Outcome(type(reason), str(reason))
    written = []
    try:
        for key, path in task.outputs.items():
            write_output(out / path, encode(images[key], Path(path).suffix[1:]))
            written.append(out / path)
    except BaseException:  # Ctrl-C is one, too
        for path in written:
            path.unlink()
        raise
    return Outcome(checksums={role: zlib.crc32(content) for role, content in contents.items()})
