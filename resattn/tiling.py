"""Cutting an image too large for memory into windows whose stitched result equals the whole.

A function whose output pixel depends on inputs at most `halo` pixels away gives the same values
inside a tile as on the whole image, provided that the tile is read with that halo, that padding
happens at true image borders only, and that tile origins sit on the function's own grid (strides,
attention windows). `Grid` keeps those three promises; `sweep` runs the function over it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from resattn.errors import ResourceError, is_out_of_memory

logger = logging.getLogger(__name__)

SPLITS = 4
"""How often one tile is halved after running out of memory before the sweep gives up."""


class Block(Protocol):
    """An array with rows and columns last: `numpy.ndarray` and `torch.Tensor` both are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes."""

    def __getitem__(self, key: Any, /) -> Any:
        """Part of the array."""


Source = TypeVar("Source")
Value = TypeVar("Value")
Result = TypeVar("Result", bound=Block)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A rectangle of pixels on a named grid: `row`, `col` of its top left, `height`, `width`."""

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a window needs at least one pixel, got {self.height}×{self.width}")

    @property
    def bottom(self) -> int:
        """The row after the last one."""
        return self.row + self.height

    @property
    def right(self) -> int:
        """The column after the last one."""
        return self.col + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array of the whole grid; use as `array[..., *w.slices]`."""
        return slice(self.row, self.bottom), slice(self.col, self.right)

    def scaled(self, factor: int) -> Window:
        """The same ground on a grid `factor` times finer."""
        return Window(
            self.row * factor, self.col * factor, self.height * factor, self.width * factor
        )

    def grown(self, margin: int) -> Window:
        """The window with `margin` more pixels on each side; it may leave the image."""
        return Window(
            self.row - margin,
            self.col - margin,
            self.height + 2 * margin,
            self.width + 2 * margin,
        )

    def intersection(self, other: Window) -> Window | None:
        """The pixels both windows have, or None."""
        top, left = max(self.row, other.row), max(self.col, other.col)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        if bottom <= top or right <= left:
            return None
        return Window(top, left, bottom - top, right - left)

    def relative_to(self, other: Window) -> Window:
        """The window with its origin counted from the origin of `other`."""
        return Window(self.row - other.row, self.col - other.col, self.height, self.width)


@dataclass(frozen=True, slots=True)
class Tile:
    """One step of a sweep: `outer` is read, `inner` (inside it) is kept."""

    inner: Window
    outer: Window

    def crop(self, factor: int = 1) -> tuple[slice, slice]:
        """Index of `inner` in the function's result for `outer`, at `factor` times its size."""
        return self.inner.relative_to(self.outer).scaled(factor).slices


@dataclass(frozen=True, slots=True)
class Grid:
    """Row-major tiles that cover an image once.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        size: Side of a tile; a multiple of `align`. Tiles at the lower and right border are cut.
        halo: Context read around each tile, rounded up to `align`; cut at the image border.
        align: Every tile and halo starts on a multiple of this (attention window, total stride).

    Raises:
        ValueError: If a length is below its minimum or `size` is not a multiple of `align`.
    """

    height: int
    width: int
    size: int
    halo: int = 0
    align: int = 1

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.size, self.align) < 1 or self.halo < 0:
            raise ValueError(
                "height, width, size and align must be at least 1 and halo at least 0, got "
                f"{self.height}, {self.width}, {self.size}, {self.align} and {self.halo}"
            )
        if self.size % self.align:
            raise ValueError(f"size {self.size} is not a multiple of align {self.align}")

    def __len__(self) -> int:
        return math.ceil(self.height / self.size) * math.ceil(self.width / self.size)

    def __iter__(self) -> Iterator[Tile]:
        return self._cover(Window(0, 0, self.height, self.width), self.size)

    def split(self, tile: Tile) -> list[Tile]:
        """Up to four tiles that cover `tile`, or [] if it is at most one step of `align` wide."""
        longest = max(tile.inner.height, tile.inner.width)
        size = math.ceil(math.ceil(longest / 2) / self.align) * self.align
        return list(self._cover(tile.inner, size)) if size < longest else []

    def _cover(self, area: Window, size: int) -> Iterator[Tile]:
        image = Window(0, 0, self.height, self.width)
        halo = math.ceil(self.halo / self.align) * self.align
        for row in range(area.row, area.bottom, size):
            for col in range(area.col, area.right, size):
                inner = Window(row, col, min(size, area.bottom - row), min(size, area.right - col))
                outer = inner.grown(halo).intersection(image)
                yield Tile(inner, outer or inner)


def tiles(height: int, width: int, size: int, *, halo: int = 0, align: int = 1) -> Iterator[Tile]:
    """Row-major tiles of an image; see `Grid` for the meaning of the arguments.

    Example:
        >>> [tile.inner.width for tile in tiles(4, 10, 4)]
        [4, 4, 2]
    """
    return iter(Grid(height, width, size, halo, align))


def fit_size(
    ram_bytes: int, bytes_per_pixel: float, *, halo: int = 0, align: int = 1, largest: int = 4096
) -> int:
    """The largest tile side, a multiple of `align`, whose outer window fits a memory budget.

    Args:
        ram_bytes: Budget for everything that grows with the tile.
        bytes_per_pixel: Peak memory of one pixel of the outer window, all buffers together.
        halo: Context on each side of the tile.
        align: Step of the tile side.
        largest: Upper limit; beyond it larger tiles only cost memory.

    Raises:
        ResourceError: E501, if not even a tile of one `align` fits.
    """
    if bytes_per_pixel <= 0:
        raise ValueError(f"bytes_per_pixel must be positive, got {bytes_per_pixel}")
    halo = math.ceil(halo / align) * align
    side = math.isqrt(int(max(ram_bytes, 0) / bytes_per_pixel)) - 2 * halo
    size = min(side, largest) // align * align
    if size < 1:
        needed = math.ceil((align + 2 * halo) ** 2 * bytes_per_pixel)
        raise ResourceError(
            f"one tile of {align} pixels with a halo of {halo} needs {needed / 1e6:.1f} MB, "
            f"the budget is {ram_bytes / 1e6:.1f} MB",
            "raise --ram",
            code="E501",
        )
    return size


def sweep(
    grid: Grid,
    read: Callable[[Window], Source],
    function: Callable[[Source], Result],
    *,
    scale: int = 1,
) -> Iterator[tuple[Window, Result]]:
    """Windows of the result in the grid's order, each computed with its halo and then cropped.

    Memory holds one tile at a time. A tile that runs out of memory is halved and tried again,
    at most `SPLITS` times, which leaves the values as they are if `grid.halo` covers the
    function's reach.

    Args:
        grid: The tiles, on the input's pixels.
        read: Returns the input of a window; the window lies inside the image.
        function: Returns a block with rows and columns last, `scale` times its input's size.
        scale: Output pixels for one input pixel along each axis.

    Yields:
        The window on the output's grid and its block, a view of what `function` returned.

    Raises:
        ValueError: If `function` returns another size than `scale` times its input's.
        ResourceError: E501, if memory runs out even for the smallest tile.

    Example:
        >>> import numpy
        >>> image = numpy.arange(12.0).reshape(3, 4)
        >>> out = numpy.empty_like(image)
        >>> for window, block in sweep(Grid(3, 4, 2), lambda w: image[w.slices], numpy.negative):
        ...     out[window.slices] = block
        >>> bool((out == -image).all())
        True
    """
    for whole in grid:
        pending: list[tuple[Tile, int]] = [(whole, 0)]
        while pending:
            tile, depth = pending.pop(0)
            try:
                result = function(read(tile.outer))
            except (MemoryError, RuntimeError) as error:
                parts = grid.split(tile) if depth < SPLITS else []
                _raise_unless_smaller_may_fit(error, tile, parts)
                pending[:0] = [(part, depth + 1) for part in parts]
                continue
            yield tile.inner.scaled(scale), _cropped(result, tile, scale)


def in_parts(
    function: Callable[[Window], Value], window: Window, depth: int = 0
) -> list[tuple[Window, Value]]:
    """`function` of the window; where memory runs out, of its quarters, at most `SPLITS` times.

    For functions that read what they need around a window by themselves.

    Raises:
        ResourceError: E501, if memory runs out even for the smallest part.
    """
    try:
        return [(window, function(window))]
    except (MemoryError, RuntimeError) as error:
        whole = Tile(window, window)
        grid = Grid(window.bottom, window.right, 1)
        parts = grid.split(whole) if depth < SPLITS else []
        _raise_unless_smaller_may_fit(error, whole, parts)
    return [done for part in parts for done in in_parts(function, part.inner, depth + 1)]


def _raise_unless_smaller_may_fit(error: Exception, tile: Tile, parts: list[Tile]) -> None:
    if not is_out_of_memory(error):
        raise error
    if not parts:
        raise ResourceError(
            f"out of memory on a tile of {tile.outer.height}×{tile.outer.width} pixels",
            "free memory, or choose a lighter method or a smaller --tile",
            code="E501",
        ) from error
    logger.warning(
        "out of memory on a tile of %d×%d pixels: halving it", tile.outer.height, tile.outer.width
    )


def _cropped(result: Result, tile: Tile, scale: int) -> Result:
    expected = (tile.outer.height * scale, tile.outer.width * scale)
    if tuple(result.shape[-2:]) != expected:
        raise ValueError(f"the swept function returned {tuple(result.shape)}, expected {expected}")
    cropped: Result = result[(..., *tile.crop(scale))]
    return cropped
