"""PNG files row by row, for images that should not be held and encoded whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from resattn.errors import OutputError
from resattn.io import png
from resattn.io.atomic import StagedFile, reporting
from resattn.io.faultpoints import reach
from resattn.io.metadata import Metadata
from resattn.io.names import shown

Pixels = NDArray[np.generic]
Bytes = NDArray[np.uint8]

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_ROWS = 64
"""Rows filtered at a time, all in one way."""

_SAMPLE = 8
_LEVEL = 2
"""Decoded photographs are 2 to 8 % larger than at level 6, in a quarter of its time."""

_PIECE = 2**20
_LARGEST_CHUNK = 2**31 - 1


class PngWriter:
    """A PNG in the making: rows from top to bottom, then verified and named.

    On leaving the block without an error the file is read back, compared and renamed to `target`;
    on an error nothing is left. Memory does not grow with the height.

    Args:
        target: The file to be made.
        height: Rows that will be written.
        width: Pixels of a row.
        bands: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
        dtype: uint8 or uint16.
        metadata: Blocks to embed.
        inputs: Files being read, none of which may be the target.
        overwrite: Replace the target if it exists.

    Raises:
        OutputError: E401 if the disk is full, fails or gives back other bytes; E402–E404 as
            `resattn.io.atomic.check_target` says.
        ValueError: If PNG has no such pixels, or rows are missing or too many at the end.
    """

    def __init__(
        self,
        target: Path,
        height: int,
        width: int,
        bands: int,
        dtype: str,
        *,
        metadata: Metadata | None = None,
        inputs: Iterable[Path] = (),
        overwrite: bool = False,
    ) -> None:
        if bands not in _COLOUR_TYPES or dtype not in ("uint8", "uint16"):
            raise ValueError(f"PNG has no pixels of {bands} bands of type {dtype}")
        self._shape = (bands, width)
        self._dtype = np.dtype(dtype)
        self._left = height
        self._header = _header(height, width, bands, self._dtype, metadata)
        self._staged = StagedFile(target, inputs=inputs, overwrite=overwrite)
        self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
        self._above = np.zeros(bands * width * self._dtype.itemsize, np.uint8)
        self._sum = 0
        self._stack = ExitStack()
        self._stream: BinaryIO

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._staged)
            with reporting(self._staged.target):
                reach("open")
                self._stream = stack.enter_context(self._staged.temporary.open("xb"))
                self._put(self._header)
            self._stack = stack.pop_all()
        return self

    def write_rows(self, pixels: Pixels) -> None:
        """The next rows, (B, rows, W).

        Raises:
            ValueError: If shape or type differ, or there are more rows than were announced.
            OutputError: E401 if the disk is full or fails.
        """
        bands, rows, width = pixels.shape
        if (bands, width) != self._shape or pixels.dtype != self._dtype or rows > self._left:
            raise ValueError(
                f"{pixels.dtype} pixels of shape {pixels.shape} for {self._left} rows more of "
                f"{self._dtype}, {self._shape[0]} bands and width {self._shape[1]}"
            )
        self._left -= rows
        with reporting(self._staged.target):
            for start in range(0, rows, _ROWS):
                self._put_rows(pixels[:, start : start + _ROWS])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing the stream writes what is buffered, and may find the disk full once more.
        with reporting(self._staged.target):
            if kind is not None:
                self._stack.__exit__(kind, error, trace)
                return
            with self._stack:
                self._finish()

    def _finish(self) -> None:
        if self._left:
            raise ValueError(f"{self._left} rows were not written")
        with reporting(self._staged.target):
            self._put_data(self._deflater.flush())
            self._put(png.chunk(b"IEND", b""))
            self._stream.close()
            reach("read")
            with self._staged.temporary.open("rb") as written:
                found = 0
                while piece := written.read(_PIECE):
                    found = zlib.crc32(piece, found)
        if found != self._sum:
            raise OutputError(
                f"{shown(self._staged.target)} did not read back as written",
                "check the disk and its free space",
                code="E401",
            )

    def _put_rows(self, pixels: Pixels) -> None:
        stored = pixels.transpose(1, 2, 0).astype(self._dtype.newbyteorder(">"))
        lines = np.ascontiguousarray(stored).view(np.uint8).reshape(pixels.shape[1], -1)
        step = self._shape[0] * self._dtype.itemsize
        self._put_data(self._deflater.compress(filtered(lines, self._above, step).tobytes()))
        self._above = lines[-1].copy()

    def _put_data(self, data: bytes) -> None:
        for start in range(0, len(data), _LARGEST_CHUNK):
            self._put(png.chunk(b"IDAT", data[start : start + _LARGEST_CHUNK]))

    def _put(self, data: bytes) -> None:
        reach("write")
        self._stream.write(data)
        self._sum = zlib.crc32(data, self._sum)


def filtered(lines: Bytes, above: Bytes, step: int) -> Bytes:
    """Each row of `lines` (R, N) as PNG stores it: a filter's number, then N bytes.

    All rows get one filter, the one whose bytes, as signed numbers, have the least sum of
    magnitudes (PNG specification, 12.8) over every eighth of them.

    Args:
        lines: Rows as bytes.
        above: The row before the first, (N,).
        step: Bytes of a pixel.
    """
    up = np.vstack([above, lines[:-1]])
    some = slice((len(lines) - 1) % _SAMPLE, None, _SAMPLE)
    number = min(_FILTERS, key=lambda n: _size(_FILTERS[n](lines[some], up[some], step)))
    stored = np.empty((lines.shape[0], lines.shape[1] + 1), np.uint8)
    stored[:, 0] = number
    stored[:, 1:] = _FILTERS[number](lines, up, step)
    return stored


def _size(residual: Bytes) -> int:
    return int(np.abs(residual.view(np.int8).astype(np.int16)).sum())


def _shifted(rows: Bytes, step: int) -> Bytes:
    left = np.zeros_like(rows)
    left[:, step:] = rows[:, :-step]
    return left


def _none(lines: Bytes, up: Bytes, step: int) -> Bytes:
    del up, step
    return lines


def _left(lines: Bytes, up: Bytes, step: int) -> Bytes:
    del up
    return lines - _shifted(lines, step)


def _above(lines: Bytes, up: Bytes, step: int) -> Bytes:
    del step
    return lines - up


def _average(lines: Bytes, up: Bytes, step: int) -> Bytes:
    left = _shifted(lines, step)
    return lines - ((left & up) + ((left ^ up) >> 1))  # half their sum, without a carry


def _paeth(lines: Bytes, up: Bytes, step: int) -> Bytes:
    left, corner = _shifted(lines, step), _shifted(up, step)
    a, b, c = (part.astype(np.int16) for part in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where(to_up <= to_corner, up, corner)
    return lines - np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)


_FILTERS: Final[dict[int, Callable[[Bytes, Bytes, int], Bytes]]] = {
    0: _none, 1: _left, 2: _above, 3: _average, 4: _paeth,
}  # fmt: skip


def _header(
    height: int, width: int, bands: int, dtype: np.dtype[np.generic], metadata: Metadata | None
) -> bytes:
    fields = struct.pack(
        ">IIBBBBB", width, height, 8 * dtype.itemsize, _COLOUR_TYPES[bands], 0, 0, 0
    )
    start = png.SIGNATURE + png.chunk(b"IHDR", fields)
    return start if metadata is None else png.with_metadata(start, metadata)
