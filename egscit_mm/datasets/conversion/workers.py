# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Converting tasks, in this process or in several."""
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional

from .errors import BadInputError, ConversionError, LeftOutError
from .images import encode
from .plans import Job, Task
from .sources import Files
from .writing import write_atomically


def outcomes_of(job: Job, tasks: list[Task], out: Path,
                workers: int) -> Iterator[tuple[Optional[type], str]]:
    """Convert tasks.

    Args:
        job (Job): Their job.
        tasks (list[Task]): Those not done yet.
        out (Path): Output folder.
        workers (int): Worker processes, 0 for none.

    Yields:
        tuple[type | None, str]: Of each task, in order, the exception that kept it from being
        done (BadInputError, LeftOutError or None), and why.

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


def _run_in_worker(item: Any) -> Any:
    return _function(item)


def _convert_task(sources: dict[str, Files], render: Callable, out: Path,
                  task: Task) -> tuple[Optional[type], str]:
    contents = {}
    try:
        for role, (source, name) in task.inputs.items():
            contents[role] = sources[source].read(name)
        images = render(contents)
    except (BadInputError, LeftOutError) as reason:
        return type(reason), str(reason)
    written = []
    try:
        for key, path in task.outputs.items():
            write_atomically(out / path, encode(images[key], Path(path).suffix[1:]))
            written.append(out / path)
    except ConversionError:
        for path in written:
            path.unlink()
        raise
    return None, ''
