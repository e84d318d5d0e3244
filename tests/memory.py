"""Memory of a block of a test, apart from what the tests before it left behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def peak_growth() -> Iterator[Callable[[], float]]:
    """A function that returns by how many MB the block's peak exceeds what it began with."""
    # "5" forgets the peak so far, which getrusage would report: that of the largest test before.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident_mb("VmRSS")
    yield lambda: _resident_mb("VmHWM") - before


def _resident_mb(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1000
