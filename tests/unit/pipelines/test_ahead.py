"""Working ahead changes when things happen, never what comes out."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.pipelines.ahead import ahead


@settings(deadline=None)  # on a shared machine threads may wait
@given(st.lists(st.integers()), st.integers(1, 4))
def test_results_and_order_are_those_of_a_loop(items, workers):
    assert list(ahead(lambda x: x * x, items, workers)) == [(x, x * x) for x in items]


def test_no_more_than_the_workers_are_ahead():
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        return item

    stream = ahead(work, range(100), 2)
    next(stream)
    time.sleep(0.05)
    assert len(started) <= 3
    stream.close()


def test_two_workers_do_work_at_once():
    meeting = threading.Barrier(2, timeout=10)
    assert len(list(ahead(lambda _: meeting.wait(), range(4), 2))) == 4


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_where_its_item_would(workers):
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    seen = []
    with pytest.raises(ValueError, match="two"):
        seen.extend(item for item, _ in ahead(work, range(10), workers))
    assert seen in ([], [0, 1])
