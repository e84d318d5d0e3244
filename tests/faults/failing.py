"""What can go wrong at a fault point or in a network, once."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules import module

from resattn.io.faultpoints import Watcher

FAILURES = {
    "full disk": OSError(errno.ENOSPC, "No space left on device"),
    "bad sector": OSError(errno.EIO, "Input/output error"),
    "no memory": MemoryError(),
}


class FailAt:
    """Raises `error` at the `number`-th point and remembers all points reached."""

    def __init__(self, number: int, error: BaseException) -> None:
        self.number, self.error = number, error
        self.reached: list[str] = []

    def __call__(self, point: str) -> None:
        self.reached.append(point)
        if len(self.reached) == self.number:
            raise self.error


@contextmanager
def networks_watched_by(watcher: Watcher) -> Iterator[None]:
    """Call `watcher` before every network that is run inside the block, not for its layers."""
    depth = 0

    def before(one: Any, arguments: Any) -> None:
        nonlocal depth
        depth += 1
        if depth == 1:
            watcher(f"{type(one).__name__}")  # type: ignore[arg-type]

    def after(one: Any, arguments: Any, result: Any) -> None:
        nonlocal depth
        depth -= 1

    handles = (
        module.register_module_forward_pre_hook(before),
        module.register_module_forward_hook(after, always_call=True),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
