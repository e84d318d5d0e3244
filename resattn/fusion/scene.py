"""A PAN and MS pair that is read by windows, so that no method ever holds a whole scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.geometry import GridMap
from resattn.fusion.taps import Image, Mask
from resattn.tiling import Window

Reader: TypeAlias = Callable[[Window], tuple[Image, Mask]]
"""Samples and validity of a window that lies inside the image."""

Found = TypeVar("Found")

_FIT_SIDE = 512
_FIT_WINDOWS = 16
_LEAST_SIDE = 64
_SPARE_SIDE = 256
"""Side of the windows where 16 of the larger ones would not cover the scene either: a million
pixels tell means, gains and shifts as well as four million do, in a quarter of the time."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Both images of a scene, as readers, and how their grids lie.

    Args:
        grid: Where the MS samples lie on the PAN grid.
        bands: Number of MS bands.
        read_pan: Gives (H, W) float32 samples and validity of a PAN window.
        read_ms: Gives (B, h, w) float32 samples and (h, w) validity of an MS window.
        threads: How many windows may be looked at at once.
    """

    grid: GridMap
    bands: int
    read_pan: Reader
    read_ms: Reader
    threads: int = 1

    def sample_windows(self) -> Iterator[Window]:
        """PAN windows to take statistics from: all of the overlap, or some spread over it.

        They depend on the scene alone, so fitted numbers do not change with the tile size.
        """
        return _spread(self.grid.overlap, 1.0)

    def sample_ms_windows(self) -> Iterator[Window]:
        """MS windows over about the same ground as `sample_windows`."""
        return _spread(self.grid.ms_overlap, self.grid.ratio)

    def each(
        self, function: Callable[[Window], Found], windows: Iterable[Window]
    ) -> Iterator[Found]:
        """`function` of every window, in their order however many threads there are."""
        if self.threads == 1:
            yield from map(function, windows)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            yield from pool.map(function, windows)


def from_arrays(
    pan: NDArray[np.generic],
    ms: NDArray[np.generic],
    grid: GridMap,
    *,
    pan_valid: Mask | None = None,
    ms_valid: Mask | None = None,
) -> Scene:
    """A scene over arrays in memory, PAN (H, W) and MS (B, h, w).

    Samples that are not finite are invalid, whatever the masks say.

    Raises:
        ValueError: an array does not have the size that `grid` states.
    """
    if pan.shape != (grid.pan_height, grid.pan_width):
        raise ValueError(f"PAN is {pan.shape}, grid has {(grid.pan_height, grid.pan_width)}")
    if ms.ndim != 3 or ms.shape[1:] != (grid.ms_height, grid.ms_width):
        raise ValueError(f"MS is {ms.shape}, grid has {(grid.ms_height, grid.ms_width)}")
    return Scene(grid, ms.shape[0], _reader(pan, pan_valid), _reader(ms, ms_valid))


def _reader(image: NDArray[np.generic], valid: Mask | None) -> Reader:
    def read(window: Window) -> tuple[Image, Mask]:
        part = image[..., *window.slices].astype(np.float32)
        finite = np.isfinite(part)
        known: Mask = np.all(finite.reshape(-1, *finite.shape[-2:]), axis=0)
        return part, known if valid is None else known & valid[window.slices]

    return read


def _spread(area: Window, ratio: float) -> Iterator[Window]:
    """Windows that tile a small `area`, or `_FIT_WINDOWS` evenly chosen ones of a large one.

    Args:
        area: Pixels that are `ratio` PAN pixels wide.
        ratio: 1 for PAN.
    """
    large = area.height * area.width * ratio**2 > _FIT_WINDOWS * _SPARE_SIDE**2
    side = max(_LEAST_SIDE, round((_SPARE_SIDE if large else _FIT_SIDE) / ratio))
    windows = [
        Window(row, col, min(side, area.bottom - row), min(side, area.right - col))
        for row in range(area.row, area.bottom, side)
        for col in range(area.col, area.right, side)
    ]
    count = min(_FIT_WINDOWS, len(windows))
    chosen = np.linspace(0, len(windows) - 1, count).round().astype(int)
    return (windows[index] for index in chosen)
