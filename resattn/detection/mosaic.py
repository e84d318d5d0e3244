"""Windows of one size that cover a picture and share a margin with their neighbours.

A detector sees an object whole in some window if the object is no larger than the shared margin.
All windows have the same size, since the last ones are moved back inside, so that a window at the
border gives the network as much to see as any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from resattn.tiling import Window


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The windows of a picture.

    Args:
        height: Rows of the picture.
        width: Columns.
        side: Of a window; a picture that is smaller has one window of its own size that way.
        overlap: Least pixels that neighbours share, at most half of `side`.

    Raises:
        ValueError: If a length is not positive or the overlap too large.
    """

    height: int
    width: int
    side: int
    overlap: int

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.side) < 1 or not 0 <= self.overlap <= self.side // 2:
            raise ValueError(
                f"windows of {self.side} sharing {self.overlap} in {self.height}×{self.width}"
            )

    @property
    def rows(self) -> list[int]:
        """Where windows begin from top to bottom."""
        return self._starts(self.height)

    @property
    def columns(self) -> list[int]:
        """Where windows begin from left to right."""
        return self._starts(self.width)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], Window]]:
        """Place in the mosaic and window, row by row."""
        height, width = min(self.side, self.height), min(self.side, self.width)
        columns = self.columns
        for i, row in enumerate(self.rows):
            for j, column in enumerate(columns):
                yield (i, j), Window(row, column, height, width)

    def _starts(self, length: int) -> list[int]:
        """Evenly spread, so that all neighbours share about the same."""
        last = max(length - self.side, 0)
        gaps = -(-last // (self.side - self.overlap))
        return [round(last * i / max(gaps, 1)) for i in range(gaps + 1)]
