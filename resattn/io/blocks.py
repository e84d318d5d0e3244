"""From windows of any size to whole stored blocks, each with its checksum.

A block is handed on when its last pixel has come, so a writer never rewrites a stored block, and
what was handed on can be compared with what the finished file gives back.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from resattn.io.profile import RasterProfile
from resattn.tiling import Grid, Window

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]


class Blocks:
    """Collects windows into whole blocks and remembers the checksum of each finished one."""

    def __init__(self, profile: RasterProfile) -> None:
        self._grid = Grid(profile.height, profile.width, profile.tile)
        self._profile = profile
        self._partial: dict[Window, tuple[Pixels, Valid, Valid]] = {}
        self.checksums: dict[Window, int] = {}

    def add(
        self, window: Window, pixels: Pixels, valid: Valid | None
    ) -> Iterator[tuple[Window, Pixels, Valid | None]]:
        """Blocks that this window completes."""
        for block in self._touched(window):
            part = block.intersection(window)
            if part is None:
                continue
            source = part.relative_to(window).slices
            values = pixels[(slice(None), *source)]
            mask = None if valid is None else valid[source]
            if block in self.checksums or (part == block and block in self._partial):
                raise ValueError(f"{part} was written before")
            if part != block:
                values, mask, complete = self._merge(block, part, values, mask)
                if not complete:
                    continue
            self.checksums[block] = checksum(values, mask)
            yield block, values, mask

    def check_complete(self) -> None:
        """Raise ValueError unless every block was written."""
        missing = len(self._grid) - len(self.checksums)
        if missing:
            raise ValueError(f"{missing} of {len(self._grid)} blocks were not written")

    def _touched(self, window: Window) -> Iterator[Window]:
        size, image = self._grid.size, Window(0, 0, self._grid.height, self._grid.width)
        for row in range(window.row // size * size, window.bottom, size):
            for col in range(window.col // size * size, window.right, size):
                block = Window(row, col, size, size).intersection(image)
                if block is not None:
                    yield block

    def _merge(
        self, block: Window, part: Window, values: Pixels, mask: Valid | None
    ) -> tuple[Pixels, Valid | None, bool]:
        shape = (block.height, block.width)
        if block not in self._partial:
            dtype = np.dtype(self._profile.dtype)
            self._partial[block] = (
                np.empty((self._profile.count, *shape), dtype),
                np.zeros(shape, np.bool_),
                np.zeros(shape, np.bool_),
            )
        pixels, valid, filled = self._partial[block]
        inside = part.relative_to(block).slices
        if filled[inside].any():
            raise ValueError(f"{part} was written before")
        pixels[(slice(None), *inside)] = values
        filled[inside] = True
        if mask is not None:
            valid[inside] = mask
        complete = bool(filled.all())
        if complete:
            del self._partial[block]
        return pixels, None if mask is None else valid, complete


def checksum(pixels: Pixels, mask: Valid | None) -> int:
    """CRC-32 of a block's pixels and, if it has one, of its mask."""
    value = zlib.crc32(np.ascontiguousarray(pixels).view(np.uint8).data)
    return value if mask is None else zlib.crc32(np.packbits(mask).data, value)
