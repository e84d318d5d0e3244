"""Work on the next windows while the last one is written, in order and with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def available_threads() -> int:
    """How many threads this process may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ahead(
    function: Callable[[Item], Done], items: Iterable[Item], workers: int
) -> Iterator[tuple[Item, Done]]:
    """Each item with `function` of it, in the order of the items.

    NumPy and SciPy give up the interpreter lock in their loops, so threads are enough. At most
    `workers` results exist or are being made besides the one that was handed out. The results are
    those of a plain loop; an error is raised where its item would have come.

    Args:
        function: Called in `workers` threads at once.
        items: Read as they are needed.
        workers: 1 computes in this thread.
    """
    if workers <= 1:
        yield from ((item, function(item)) for item in items)
        return
    pending: deque[tuple[Item, Future[Done]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(function, item)))
                if len(pending) > workers:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            for _, future in pending:
                future.cancel()
