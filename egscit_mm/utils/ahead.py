# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Work that threads do beside the network: reading what comes next, writing what is done."""
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, Deque, Iterable, Iterator, Tuple


@contextmanager
def worker_threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that do what was begun, and nothing more, when the block ends with an error.

    Ctrl-C is such an error. A block that ends well waits for all that was handed to them.
    """
    threads = ThreadPoolExecutor(number)
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


class Bounded:
    """Tasks in flight, of a bounded weight together, whose results come in order.

    Args:
        threads (ThreadPoolExecutor): Run them.
        limit (float): Of the weights. A task of any weight is taken where no other is in flight.
    """

    def __init__(self, threads: ThreadPoolExecutor, limit: float):
        self.threads = threads
        self.limit = limit
        self.tasks: Deque[Tuple[Future, float]] = deque()
        self.weight = 0.

    def fits(self, weight: float) -> bool:
        """Whether one more is within the limit."""
        return not self.tasks or self.weight + weight <= self.limit

    def submit(self, weight: float, function: Callable, *args) -> None:
        """Hands over a task."""
        self.tasks.append((self.threads.submit(function, *args), weight))
        self.weight += weight

    def next(self) -> Any:
        """Waits for the result of the oldest task.

        Raises:
            Exception: What the task raised.
        """
        task, weight = self.tasks.popleft()
        self.weight -= weight
        return task.result()


def ahead(threads: ThreadPoolExecutor, function: Callable, items: Iterable, weigh: Callable,
          limit: float) -> Iterator[Any]:
    """As ``map(function, items)``, but with the next items under way while one is used.

    Args:
        threads (ThreadPoolExecutor): Run the function.
        function (callable): Of one item.
        items (Iterable): What to work on.
        weigh (callable): ``item -> float``, its weight.
        limit (float): Of the items under way, by their weights; one of any weight is always.

    Yields:
        Any: The function's results, in the order of the items.
    """
    tasks = Bounded(threads, limit)
    for item in items:
        weight = weigh(item)
        while not tasks.fits(weight):
            yield tasks.next()
        tasks.submit(weight, function, item)
    while tasks.tasks:
        yield tasks.next()
