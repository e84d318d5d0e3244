"""Where the MS samples lie on the PAN grid, from georeferences or from sizes alone.

Everything else in `resattn.fusion` asks a `GridMap` for positions and never assumes a whole
ratio, a common corner or equal extents. Coordinates are pixel centres: PAN pixel 0 is at 0.0 and
its outer edge at −0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.fusion.axis import Axis
from resattn.tiling import Window

LEAST_RATIO, MOST_RATIO = 1.5, 6.5
"""Resolution ratios the methods are made for."""

_ROTATION_TOLERANCE = 1e-3
"""Shear per pixel, relative: 0.5 px over a 500 px window."""

_EDGE = 1e-6
"""Rounding allowed when a PAN centre lies exactly on the edge of MS, as on Landsat grids."""

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a·col + b·row + c, y = d·col + e·row + f, at pixel corners."""


@dataclass(frozen=True, slots=True)
class ImageGrid:
    """Size and georeference of one image, as its file states them.

    Args:
        height: Rows.
        width: Columns.
        transform: Affine from pixel corners to ground, None without georeference.
        crs: Coordinate reference system, compared by equality; None if not stated.
    """

    height: int
    width: int
    transform: Affine | None = None
    crs: object | None = None


@dataclass(frozen=True, slots=True)
class GridMap:
    """MS sample (j, k) lies at PAN position (offset_y + scale_y·j, offset_x + scale_x·k).

    Args:
        pan_height: Rows of PAN.
        pan_width: Columns of PAN.
        ms_height: Rows of MS.
        ms_width: Columns of MS.
        scale_y: PAN pixels per MS pixel downwards.
        scale_x: PAN pixels per MS pixel to the right.
        offset_y: PAN row of the centre of MS row 0.
        offset_x: PAN column of the centre of MS column 0.
        source: What the map was derived from.
    """

    pan_height: int
    pan_width: int
    ms_height: int
    ms_width: int
    scale_y: float
    scale_x: float
    offset_y: float
    offset_x: float
    source: Literal["georeference", "size"] = "size"

    @property
    def ratio(self) -> float:
        """Resolution ratio: geometric mean of both scales, whole if within 0.1 % of it."""
        ratio = math.sqrt(self.scale_y * self.scale_x)
        whole = round(ratio)
        return float(whole) if abs(ratio - whole) <= 1e-3 * whole else ratio

    @property
    def overlap(self) -> Window:
        """PAN pixels whose centres lie on the footprint of MS."""
        top, bottom = _covered(self.offset_y, self.scale_y, self.ms_height, self.pan_height)
        left, right = _covered(self.offset_x, self.scale_x, self.ms_width, self.pan_width)
        return Window(top, left, bottom - top, right - left)

    @property
    def ms_overlap(self) -> Window:
        """MS samples whose centres lie on PAN, widened to one sample where there is none."""
        rows = _within(self.offset_y, self.scale_y, self.ms_height, self.pan_height)
        cols = _within(self.offset_x, self.scale_x, self.ms_width, self.pan_width)
        return Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Both directions, downwards and to the right."""
        return (
            Axis(self.offset_y, self.scale_y, self.ms_height, self.pan_height),
            Axis(self.offset_x, self.scale_x, self.ms_width, self.pan_width),
        )

    def shifted(self, dy: float, dx: float) -> GridMap:
        """The map if MS content really lies (dy, dx) PAN pixels farther down and right."""
        return replace(self, offset_y=self.offset_y + dy, offset_x=self.offset_x + dx)

    def pan_rows(self, ms_rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """PAN rows of MS rows."""
        return self.offset_y + self.scale_y * ms_rows

    def pan_cols(self, ms_cols: NDArray[np.float64]) -> NDArray[np.float64]:
        """PAN columns of MS columns."""
        return self.offset_x + self.scale_x * ms_cols

    def ms_rows(self, pan_rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """MS rows of PAN rows."""
        return (pan_rows - self.offset_y) / self.scale_y

    def ms_cols(self, pan_cols: NDArray[np.float64]) -> NDArray[np.float64]:
        """MS columns of PAN columns."""
        return (pan_cols - self.offset_x) / self.scale_x


def match(pan: ImageGrid, ms: ImageGrid) -> GridMap:
    """The map between two grids: by georeference where both have one, else by size.

    Without georeference both images are taken to show the same ground; where sizes are within one
    MS pixel of a whole ratio that ratio and a common upper left corner are used (255 MS pixels
    under 509 PAN pixels have ratio 2, not 1.996).

    Raises:
        ItemError: E320 PAN and MS swapped, E321 different CRS, E322 no overlap, E323 ratio out of
            range, E324 rotated against each other, E325 sizes of different shape.
    """
    if pan.transform is None or ms.transform is None:
        grid = _match_sizes(pan, ms)
    else:
        if pan.crs is not None and ms.crs is not None and pan.crs != ms.crs:
            raise ItemError(
                f"PAN is in {pan.crs}, MS in {ms.crs}",
                "reproject one of them to the CRS of the other",
                code="E321",
            )
        grid = _match_transforms(pan, ms, pan.transform, ms.transform)
    _check_ratio(grid)
    _check_overlap(grid)
    return grid


def _match_sizes(pan: ImageGrid, ms: ImageGrid) -> GridMap:
    scale_y, scale_x = pan.height / ms.height, pan.width / ms.width
    whole = max(1, round(math.sqrt(scale_y * scale_x)))
    near_whole = all(
        abs(fine - whole * coarse) <= whole
        for fine, coarse in ((pan.height, ms.height), (pan.width, ms.width))
    )
    if near_whole:
        scale_y = scale_x = float(whole)
    elif abs(scale_y - scale_x) > 0.02 * scale_x:
        raise ItemError(
            f"PAN has {pan.height}×{pan.width} and MS {ms.height}×{ms.width} pixels: "
            f"ratio {scale_y:.3f} down but {scale_x:.3f} across",
            "give georeferenced files or crop both to the same ground",
            code="E325",
        )
    return GridMap(
        pan.height,
        pan.width,
        ms.height,
        ms.width,
        scale_y,
        scale_x,
        (scale_y - 1) / 2,
        (scale_x - 1) / 2,
    )


def _match_transforms(
    pan: ImageGrid, ms: ImageGrid, pan_affine: Affine, ms_affine: Affine
) -> GridMap:
    inverse = np.linalg.inv(_matrix(pan_affine))
    combined = inverse @ _matrix(ms_affine)  # MS corner coordinates to PAN corner coordinates
    scale_x, scale_y = float(combined[0, 0]), float(combined[1, 1])
    shear = max(abs(combined[0, 1]), abs(combined[1, 0]))
    if scale_x <= 0 or scale_y <= 0 or shear > _ROTATION_TOLERANCE * max(scale_x, scale_y):
        raise ItemError(
            f"PAN transform {_short(pan_affine)} and MS transform {_short(ms_affine)} are rotated "
            "or flipped against each other",
            "warp MS to the orientation of PAN, for instance with gdalwarp",
            code="E324",
        )
    return GridMap(
        pan.height,
        pan.width,
        ms.height,
        ms.width,
        scale_y,
        scale_x,
        float(combined[1, 2]) + scale_y / 2 - 0.5,
        float(combined[0, 2]) + scale_x / 2 - 0.5,
        "georeference",
    )


def _check_ratio(grid: GridMap) -> None:
    ratio = grid.ratio
    if ratio < 0.95:
        raise ItemError(
            f"the PAN pixel is {1 / ratio:.3g} times the MS pixel",
            "PAN and MS look swapped: give the finer image as PAN",
            code="E320",
        )
    uneven = abs(grid.scale_y - grid.scale_x) > 0.05 * ratio
    if uneven or not LEAST_RATIO <= ratio <= MOST_RATIO:
        raise ItemError(
            f"resolution ratio {grid.scale_y:.4g} down, {grid.scale_x:.4g} across; "
            f"supported are equal ratios of {LEAST_RATIO} to {MOST_RATIO}",
            "check the georeference of both files",
            code="E323",
        )


def _check_overlap(grid: GridMap) -> None:
    top, bottom = _covered(grid.offset_y, grid.scale_y, grid.ms_height, grid.pan_height)
    left, right = _covered(grid.offset_x, grid.scale_x, grid.ms_width, grid.pan_width)
    if bottom <= top or right <= left:
        raise ItemError(
            f"MS begins {grid.offset_y:.0f} rows down and {grid.offset_x:.0f} columns right of "
            f"PAN, which has {grid.pan_height}×{grid.pan_width} pixels: they do not overlap",
            "pair images of the same ground",
            code="E322",
        )


def _covered(offset: float, scale: float, ms_length: int, pan_length: int) -> tuple[int, int]:
    """First and past-the-last PAN index with its centre on the MS footprint, along one axis."""
    near = offset - scale / 2
    first = math.ceil(near - _EDGE)
    last = math.floor(near + scale * ms_length + _EDGE)
    return max(0, first), min(pan_length, last + 1)


def _within(offset: float, scale: float, ms_length: int, pan_length: int) -> tuple[int, int]:
    """First and past-the-last MS index with its centre on PAN, along one axis; never empty."""
    first = max(0, math.ceil((-0.5 - offset) / scale))
    last = min(ms_length - 1, math.floor((pan_length - 0.5 - offset) / scale))
    first = min(first, ms_length - 1)
    return first, max(first, last) + 1


def _matrix(affine: Affine) -> NDArray[np.float64]:
    a, b, c, d, e, f = affine
    matrix = np.array([[a, b, c], [d, e, f], [0.0, 0.0, 1.0]])
    if abs(a * e - b * d) < 1e-30 or not np.isfinite(matrix).all():
        raise ItemError(
            f"transform {_short(affine)} has no inverse", "mend the georeference", code="E324"
        )
    return matrix


def _short(affine: Affine) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in affine) + ")"
