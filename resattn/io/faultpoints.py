"""Named points that every call to the outside passes, so that a test can make the N-th one fail.

The design is SQLite's: run an operation once per point, fail that point with a full disk, a bad
sector or no memory, and require a clean error and nothing lost. Production code only ever calls
`reach`; nothing listens unless a test says so with `watched_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Point = Literal[
    "open",
    "read",
    "write",
    "fsync",
    "replace",
    "open_raster",
    "read_window",
    "create_raster",
    "write_window",
    "close_raster",
    "convert_raster",
]

Watcher = Callable[[Point], None]

_watcher: ContextVar[Watcher | None] = ContextVar("faultpoint_watcher", default=None)


def reach(point: Point) -> None:
    """Tell the watcher, if there is one, that `point` is about to happen; it may raise."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(point)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Call `watcher` at every point reached inside the block, in this thread."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
