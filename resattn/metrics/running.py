"""Scores of scenes larger than memory: each metric here is a function of sums over pixels.

An update turns one window into an array of sums, windows add up, and the last step turns the total
into the score. The order of the windows changes nothing but the last bits of float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, ParamSpec

from resattn.metrics.pair import Array
from resattn.tiling import Window

P = ParamSpec("P")


class Running(Generic[P]):
    """One score over many windows.

    Args:
        sums: Additive sums of one window.
        score: The score from the total of the sums.
    """

    def __init__(self, sums: Callable[P, Array], score: Callable[[Array], float]) -> None:
        self._sums = sums
        self._score = score
        self._total: Array | None = None

    def update(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Add one window; the arguments are those of the metric."""
        sums = self._sums(*args, **kwargs)
        self._total = sums if self._total is None else self._total + sums

    def compute(self) -> float:
        """The score of everything seen so far.

        Raises:
            ValueError: If nothing was seen.
        """
        if self._total is None:
            raise ValueError("no window was added before the score was asked for")
        return self._score(self._total)


def score_windows(height: int, width: int, size: int, block: int) -> Iterator[Window]:
    """Row-major windows that cover a scene once without cutting a block in two.

    Windows start on multiples of `size`. What is left at the lower and right border joins the
    window before it when it is shorter than a block: blocks there are completed by mirroring, and
    the mirror needs those rows.

    Args:
        height: Rows of the scene.
        width: Columns of the scene.
        size: Side of a window; a multiple of `block`.
        block: Side of the blocks that the metric works in.

    Raises:
        ValueError: If `size` is not a multiple of `block`.
    """
    if size < block or size % block:
        raise ValueError(f"window size {size} is not a multiple of the block size {block}")
    for row, rows in _spans(height, size, block):
        for col, cols in _spans(width, size, block):
            yield Window(row, col, rows, cols)


def _spans(length: int, size: int, least: int) -> list[tuple[int, int]]:
    starts = list(range(0, length, size))
    if len(starts) > 1 and length - starts[-1] < least:
        starts.pop()
    ends = [*starts[1:], length]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]
