# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Threads beside the network: order, bounds, errors."""
import threading
import time

import pytest

from egscit_mm.utils.ahead import Bounded, ahead, worker_threads


def test_results_come_in_order():
    def slow_first(item):
        time.sleep(0.02 if item % 4 == 0 else 0)
        return item * 10

    with worker_threads(4) as threads:
        assert list(ahead(threads, slow_first, range(20), lambda item: 1, 8)) == [
            item * 10 for item in range(20)]
        assert list(ahead(threads, slow_first, [], lambda item: 1, 8)) == []


@pytest.mark.parametrize('weight, most', [(1, 3), (3, 1), (100, 1)])
def test_no_more_is_under_way_than_the_limit(weight, most):
    """While one is used, too; and one of any weight is."""
    begun, used = [], []
    with worker_threads(8) as threads:
        for item in ahead(threads, lambda item: (begun.append(item), item)[1], range(10),
                          lambda item: weight, 3):
            time.sleep(0.01)
            assert len(begun) - len(used) - 1 <= most
            used.append(item)
    assert used == list(range(10))


def test_the_next_ones_are_begun_while_one_is_used():
    second = threading.Event()
    with worker_threads(2) as threads:
        for _ in ahead(threads, lambda item: second.set() if item == 1 else None, range(3),
                       lambda item: 1, 2):
            assert second.wait(10)


def test_an_error_comes_where_its_result_would():
    def fail(item):
        if item == 2:
            raise ValueError('item 2')
        return item

    seen = []
    with worker_threads(2) as threads, pytest.raises(ValueError, match='item 2'):
        for item in ahead(threads, fail, range(9), lambda item: 1, 4):
            seen.append(item)
    assert seen == [0, 1]


def test_after_an_error_what_was_begun_is_done_and_the_rest_is_not():
    done, first = [], threading.Event()

    def slow(item):
        first.set()
        time.sleep(0.05)
        done.append(item)

    with pytest.raises(KeyboardInterrupt), worker_threads(1) as threads:
        tasks = Bounded(threads, 100)
        for item in range(50):
            tasks.submit(1, slow, item)
        first.wait(10)
        raise KeyboardInterrupt
    assert done in ([0], [0, 1])
