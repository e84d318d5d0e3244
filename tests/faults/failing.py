"""What can go wrong at a fault point, once."""

from __future__ import annotations

import errno

from resattn.io.faultpoints import Point

FAILURES = {
    "full disk": OSError(errno.ENOSPC, "No space left on device"),
    "bad sector": OSError(errno.EIO, "Input/output error"),
    "no memory": MemoryError(),
}


class FailAt:
    """Raises `error` at the `number`-th point and remembers all points reached."""

    def __init__(self, number: int, error: BaseException) -> None:
        self.number, self.error = number, error
        self.reached: list[Point] = []

    def __call__(self, point: Point) -> None:
        self.reached.append(point)
        if len(self.reached) == self.number:
            raise self.error
