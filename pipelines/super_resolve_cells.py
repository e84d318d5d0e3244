"""One cell of the output from the file's own values back to them: every band, every hole."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.taps import Image
from resattn.pipelines.pictures import Photo, RasterPicture, bands_in_order
from resattn.pipelines.pixels import to_dtype
from resattn.tiling import Window
from resattn.upscale.enlarge import Enlarger
from resattn.upscale.fill import filled
from resattn.upscale.levels import Levels

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]

_MIDDLE = 0.5

_FAR = (-2.0, 3.0)
"""Values beyond these, where 0 is black and 1 is white, are no part of the picture.

Typically a nodata value that nobody declared. The network does not see them; they are copied.
"""


class CellMaker:
    """Enlarges the bands of a picture three at a time.

    Args:
        picture: The open image.
        levels: Its black and white.
        enlarger: Geometry and networks.
        nodata: What the output holds where there is no pixel.
    """

    def __init__(
        self,
        picture: Photo | RasterPicture,
        levels: Levels,
        enlarger: Enlarger,
        nodata: float | None,
    ) -> None:
        self._picture = picture
        self._levels = levels
        self._enlarger = enlarger
        self._nodata = nodata
        self._groups = band_groups(bands_in_order(picture), picture.alpha)

    def window(self, window: Window) -> tuple[Pixels, Valid | None]:
        """All bands (B, h, w) of a window of whole cells, and which pixels (h, w) are real."""
        cells = list(self._enlarger.cells(window))
        if cells == [window]:
            return self._cell(window)
        shape = (window.height, window.width)
        pixels: Pixels = np.empty((self._picture.count, *shape), self._picture.dtype)
        valid = np.ones(shape, np.bool_)
        for cell in cells:
            part = cell.relative_to(window).slices
            pixels[(slice(None), *part)], mask = self._cell(cell)
            valid[part] = True if mask is None else mask
        return pixels, valid

    def _cell(self, cell: Window) -> tuple[Pixels, Valid | None]:
        valid = self._valid(cell)
        mask: Valid | None = None if valid is None else np.logical_and.reduce(valid)
        pixels: Pixels = np.empty(
            (self._picture.count, cell.height, cell.width), self._picture.dtype
        )
        if valid is not None and not valid.any():
            pixels[:] = 0 if self._nodata is None else self._nodata
            return pixels, mask
        source = _Source(self._picture, self._levels, self._enlarger.halo)
        for group in self._groups:
            unit = self._enlarger.compute(cell, partial(source.read, group))
            pixels[list(group)] = self._finished(unit, group, valid)
        self._copy_far(cell, pixels, valid)
        return pixels, mask

    def _finished(self, unit: Image, group: tuple[int, ...], valid: Valid | None) -> Pixels:
        """The bands of a group in the type of the file, without the repeated ones."""
        bands = _merged(unit, len(group))
        values = self._levels.bands(group).from_unit(bands, self._picture.dtype)
        real = np.ones((1, 1, 1), np.bool_) if valid is None else valid[list(group)]
        return to_dtype(values, real, self._picture.dtype, self._nodata)

    def _copy_far(self, cell: Window, pixels: Pixels, valid: Valid | None) -> None:
        """Puts the values that the network was not shown where they belong, as they are."""
        under, rows, cols = self._under(cell)
        values = self._picture.read(under)
        near = near_enough(values, self._levels)
        if near is None:
            return
        far = ~near[:, rows][:, :, cols]
        if valid is not None:
            far &= valid
        np.copyto(pixels, values[:, rows][:, :, cols], where=far)

    def _valid(self, cell: Window) -> Valid | None:
        """Which pixels (B, h, w) of the output are real: those whose input pixel is.

        Transparency is no hole: it is enlarged as a band, so colour is written below it.
        """
        under, rows, cols = self._under(cell)
        valid = self._picture.present(under)
        if valid is None or valid.all():
            return None
        return valid[:, rows][:, :, cols]

    def _under(self, cell: Window) -> tuple[Window, NDArray[np.int64], NDArray[np.int64]]:
        """The input pixels under a cell, and which row and column of them each of its own has."""
        rows = _origins(cell.row, cell.bottom, self._picture.height, self._enlarger.height)
        cols = _origins(cell.col, cell.right, self._picture.width, self._enlarger.width)
        top, left = int(rows[0]), int(cols[0])
        under = Window(top, left, int(rows[-1]) - top + 1, int(cols[-1]) - left + 1)
        return under, rows - top, cols - left


class _Source:
    """Input windows of one cell, read once and turned into what the network takes."""

    def __init__(self, picture: Photo | RasterPicture, levels: Levels, reach: int) -> None:
        self._picture = picture
        self._levels = levels
        self._reach = reach
        self._seen: dict[Window, tuple[Window, Pixels, Valid | None]] = {}

    def read(self, group: tuple[int, ...], window: Window) -> Image:
        """Three bands (3, h, w), nominally 0..1, of the group of bands."""
        if window not in self._seen:
            self._seen[window] = self._load(window)
        outer, pixels, real = self._seen[window]
        bands = list(group)
        with np.errstate(over="ignore", invalid="ignore"):  # what is far away is filled below
            unit = self._levels.bands(group).to_unit(pixels[bands])
        if real is not None and not real[bands].all():
            unit = filled(unit, real[bands], self._reach, rest=_MIDDLE)
        unit = unit[(slice(None), *window.relative_to(outer).slices)]
        return unit[[*range(len(group)), *[len(group) - 1] * (3 - len(group))]]

    def _load(self, window: Window) -> tuple[Window, Pixels, Valid | None]:
        pixels, real = self._real(window)
        if real is None:
            return window, pixels, None
        # What fills a hole may lie as far beyond the window as the fill reaches.
        image = Window(0, 0, self._picture.height, self._picture.width)
        outer = window.grown(self._reach).intersection(image) or window
        return outer, *self._real(outer)

    def _real(self, window: Window) -> tuple[Pixels, Valid | None]:
        """Pixels (B, h, w) and which of them the network may see; None if all."""
        pixels, valid = self._picture.read(window), self._picture.valid(window)
        near = near_enough(pixels, self._levels)
        masks = [mask for mask in (valid, near) if mask is not None and not mask.all()]
        return pixels, np.logical_and.reduce(masks) if masks else None


def near_enough(pixels: Pixels, levels: Levels) -> Valid | None:
    """Which pixels (B, h, w) lie within `_FAR`; None if all do."""
    black, white = (np.array(ends)[:, None, None] for ends in (levels.black, levels.white))
    low, high = black + _FAR[0] * (white - black), black + _FAR[1] * (white - black)
    if pixels.dtype.kind in "iu":
        limits = np.iinfo(str(pixels.dtype))
        if (low <= limits.min).all() and (high >= limits.max).all():
            return None
    near: Valid = (pixels >= low) & (pixels <= high)
    return None if near.all() else near


def band_groups(bands: tuple[int, ...], alpha: int | None) -> list[tuple[int, ...]]:
    """Bands by threes in this order, transparency by itself.

    Example:
        >>> band_groups((2, 1, 0, 3), alpha=4)
        [(2, 1, 0), (3,), (4,)]
    """
    groups = [bands[start : start + 3] for start in range(0, len(bands), 3)]
    return groups if alpha is None else [*groups, (alpha,)]


def _merged(unit: Image, bands: int) -> Image:
    """The first `bands`; the network saw the last of them several times, its mean is taken."""
    if bands == 3:
        return unit
    last = unit[bands - 1 :].mean(axis=0, keepdims=True)
    return np.concatenate([unit[: bands - 1], last])


def _origins(start: int, stop: int, source: int, target: int) -> NDArray[np.int64]:
    """The input pixel in which the centre of each output pixel lies, in integers."""
    outputs = np.arange(start, stop, dtype=np.int64)
    origins: NDArray[np.int64] = (2 * outputs + 1) * source // (2 * target)
    return origins
