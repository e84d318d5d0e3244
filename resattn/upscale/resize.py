"""Resampling to an exact size with an antialiased kernel, any window of it alone.

It brings what a network made at its own whole factor to the size that was asked for, and it makes
the bicubic and Lanczos images that the network is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.taps import Image, Rows, filter_axes, mirrored_rows
from resattn.tiling import Window


@dataclass(frozen=True, slots=True)
class Kernel:
    """An interpolation kernel: its weight at a distance, zero from `radius` on."""

    name: str
    radius: int
    weight: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    result: NDArray[np.float64] = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
    return result


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.where(np.abs(x) < 4, np.sinc(x) * np.sinc(x / 4), 0.0)
    return result


BICUBIC = Kernel("bicubic", 2, _cubic)
"""Cubic convolution with a = -0.5 (Keys 1981, eq. 15)."""

LANCZOS = Kernel("lanczos", 4, _lanczos)
"""A sinc under the central lobe of a four times wider sinc (Lanczos-4)."""


@dataclass(frozen=True, slots=True)
class Resampler:
    """A grid of `source` (rows, columns) resampled to `target`, window by window.

    Both grids cover the same ground, so the corners agree for any two sizes. Beyond the border
    the image is mirrored. A window computed alone equals the same part of the whole.

    Args:
        source: Rows and columns that exist.
        target: Rows and columns wanted.
        kernel: Interpolates where the image grows, and widens to antialias where it shrinks.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    kernel: Kernel = BICUBIC

    def need(self, window: Window) -> Window:
        """The source pixels that a `window` of the target is made of."""
        rows, cols = self._rows(window)
        return Window(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)

    def apply(self, pixels: Image, window: Window) -> Image:
        """Pixels (..., h, w) of `window`, from those of `need(window)`."""
        return filter_axes(pixels, *self._rows(window))

    def _rows(self, window: Window) -> tuple[Rows, Rows]:
        (source_rows, source_cols), (target_rows, target_cols) = self.source, self.target
        return (
            _axis(self.kernel, np.arange(window.row, window.bottom), source_rows, target_rows),
            _axis(self.kernel, np.arange(window.col, window.right), source_cols, target_cols),
        )


def _axis(kernel: Kernel, outputs: NDArray[np.int64], source: int, target: int) -> Rows:
    ratio = source / target
    width = max(ratio, 1.0)
    centres = (outputs + 0.5) * ratio - 0.5
    taps = int(np.ceil(2 * kernel.radius * width)) + 1
    first = np.ceil(centres - kernel.radius * width).astype(np.int64)
    columns = first[:, None] + np.arange(taps)
    weights = kernel.weight((centres[:, None] - columns) / width)
    return mirrored_rows(columns, weights / weights.sum(axis=1, keepdims=True), source)
