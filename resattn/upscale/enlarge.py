"""An image of any size enlarged by any factor, one cell of the output at a time.

The output is divided into cells that depend on its size and factor alone, and the network only
ever works on those. So the result cannot depend on how many pixels a caller takes at once, to the
last bit and on any device: convolution libraries round differently for inputs of other shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from resattn.fusion.taps import Image
from resattn.tiling import Grid, Window
from resattn.upscale.network import Network
from resattn.upscale.resize import Resampler
from resattn.upscale.turns import ALL_EIGHT, UPRIGHT, Turn

Read = Callable[[Window], Image]
"""Pixels (3, h, w) of a window of the input, float32, nominally 0..1."""

CELL = 256
"""Input pixels per side that the network works on for one cell, halo aside.

A larger cell wastes less on its halo but leaves the processor's cache: with the `fast` network 256
costs least per output pixel (measured 2026-11: 0.55 CPU s per megapixel, 0.84 at 512).
"""

_STEP, _FINE_STEP = 128, 16  # cells end on blocks of a tiled file, so that none is left half full


class Enlarger:
    """How one image becomes larger.

    Args:
        height: Rows of the input; as an attribute, of the output.
        width: Columns, likewise.
        scale: Factor, at least 1; the output has the nearest whole number of pixels.
        network: Enlarges by its own factor; an antialiased resampling does the rest.
        ensemble: Average over the eight turns of the image.
        overlap: Context beyond what the network needs, in input pixels.
        largest: Upper limit of the side of a cell, for images of very many bands.

    Attributes:
        side: Rows and columns of a cell.
        halo: Context read around a cell, in input pixels.

    Raises:
        ValueError: The scale is below 1.
    """

    def __init__(
        self,
        height: int,
        width: int,
        scale: float,
        network: Network,
        *,
        ensemble: bool = False,
        overlap: int = 0,
        largest: int = 4096,
    ) -> None:
        if not scale >= 1:
            raise ValueError(f"the scale must be at least 1, not {scale:g}")
        self.height, self.width = enlarged_size(height, width, scale)
        self._source = (height, width)
        self._network = network
        self.halo = network.halo + overlap
        self._turns = ALL_EIGHT if ensemble else UPRIGHT
        made = (height * network.scale, width * network.scale)
        wanted = (self.height, self.width)
        self._resampler = None if made == wanted else Resampler(made, wanted)
        self.side = self._cell_side(scale, largest)

    def _cell_side(self, scale: float, largest: int) -> int:
        side = min(CELL * scale, largest)
        step = _STEP if side >= _STEP else _FINE_STEP
        return max(step, int(side) // step * step)

    def windows(self, tile: int) -> Grid:
        """Windows of whole cells that cover the output, about `tile` pixels a side."""
        side = -(-max(tile, 1) // self.side) * self.side
        return Grid(self.height, self.width, side)

    def cells(self, window: Window) -> Iterator[Window]:
        """The cells of one of the `windows`, row by row."""
        for tile in Grid(window.height, window.width, self.side):
            cell = tile.inner
            yield Window(window.row + cell.row, window.col + cell.col, cell.height, cell.width)

    def compute(self, cell: Window, read: Read) -> Image:
        """The pixels (3, h, w) of a cell of the output."""
        fine = self._fine(cell)
        coarse = self._coarse(fine)
        total = self._turned(self._turns[0], coarse, read)
        for turn in self._turns[1:]:
            total += self._turned(turn, coarse, read)
        total /= np.float32(len(self._turns))
        made = coarse.scaled(self._network.scale)
        pixels = total[(slice(None), *fine.relative_to(made).slices)]
        return pixels if self._resampler is None else self._resampler.apply(pixels, cell)

    def _fine(self, cell: Window) -> Window:
        """The pixels needed of what the network makes."""
        return cell if self._resampler is None else self._resampler.need(cell)

    def _coarse(self, fine: Window) -> Window:
        """The input pixels under them."""
        scale = self._network.scale
        row, col = fine.row // scale, fine.col // scale
        return Window(row, col, -(-fine.bottom // scale) - row, -(-fine.right // scale) - col)

    def _turned(self, turn: Turn, coarse: Window, read: Read) -> Image:
        inner = turn.window(coarse, *self._source)
        outer = self._outer(inner, turn.size(*self._source))
        image = turn.apply(read(turn.undo_window(outer, *self._source)))
        enlarged = self._network(image)
        part = inner.relative_to(outer).scaled(self._network.scale)
        return turn.undo(enlarged[(slice(None), *part.slices)])

    def _outer(self, inner: Window, size: tuple[int, int]) -> Window:
        """`inner` with its halo, on the network's grid or at the border of the image."""
        step = self._network.step
        row, bottom = _span(inner.row, inner.bottom, self.halo, step, size[0])
        col, right = _span(inner.col, inner.right, self.halo, step, size[1])
        return Window(row, col, bottom - row, right - col)


def enlarged_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Rows and columns after enlargement, each rounded half up and at least 1."""
    return max(1, math.floor(height * scale + 0.5)), max(1, math.floor(width * scale + 0.5))


def _span(start: int, stop: int, halo: int, step: int, length: int) -> tuple[int, int]:
    first = max(start - halo, 0) // step * step
    last = min(-(-(stop + halo) // step) * step, length)
    return first, last
