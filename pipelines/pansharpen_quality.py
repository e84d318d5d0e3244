"""Scores of a pansharpened scene, taken from parts of it when it is large.

A scene of up to 1024² PAN pixels is scored whole. Of a larger one up to nine crops of 512² spread
over it are scored and averaged, so that the scores cost the same for any scene; the report says
how many pixels were looked at.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.fusion.geometry import GridMap
from resattn.fusion.scene import Scene
from resattn.fusion.sensors import Sensor
from resattn.io.raster import Raster, open_raster
from resattn.io.sniff import Limits
from resattn.metrics.align import register
from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer
from resattn.tiling import Window

WHOLE = 1024
CROP = 512
CROPS = 3  # per axis

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]
Fused = Callable[[Window], tuple[Pixels, Mask]]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a scene with a grid of its own."""

    pan: Window
    ms: Window
    grid: GridMap


def crops(grid: GridMap) -> list[Crop]:
    """The parts of a scene that are scored: all of it, or crops spread over the overlap."""
    overlap = grid.overlap
    if max(overlap.height, overlap.width) <= WHOLE:
        found = _crop(grid, overlap)
        return [found] if found else []
    rows = _starts(overlap.row, overlap.height)
    cols = _starts(overlap.col, overlap.width)
    height, width = min(CROP, overlap.height), min(CROP, overlap.width)
    windows = [Window(row, col, height, width) for row in rows for col in cols]
    return [crop for window in windows if (crop := _crop(grid, window))]


def _starts(first: int, length: int) -> list[int]:
    spread = np.linspace(first, first + max(0, length - CROP), CROPS)
    return sorted({round(float(start)) for start in spread})


def _crop(grid: GridMap, window: Window) -> Crop | None:
    """The MS samples whose centres lie on `window`, and the PAN pixels under just those."""
    ms_rows = grid.ms_rows(np.array([window.row - 0.5, window.bottom - 0.5]))
    ms_cols = grid.ms_cols(np.array([window.col - 0.5, window.right - 0.5]))
    top, left = max(0, int(np.ceil(ms_rows[0]))), max(0, int(np.ceil(ms_cols[0])))
    bottom = min(grid.ms_height, int(np.floor(ms_rows[1])) + 1)
    right = min(grid.ms_width, int(np.floor(ms_cols[1])) + 1)
    if bottom <= top or right <= left:
        return None
    part = replace(
        grid,
        pan_height=window.height,
        pan_width=window.width,
        ms_height=bottom - top,
        ms_width=right - left,
        offset_y=grid.offset_y + grid.scale_y * top - window.row,
        offset_x=grid.offset_x + grid.scale_x * left - window.col,
    )
    return Crop(window, Window(top, left, bottom - top, right - left), part)


@dataclass(frozen=True, slots=True)
class Ruler:
    """What every result of one scene is scored with: the camera and the shifts of its bands.

    The shifts are measured on the inputs by the search that published scores use, whatever a
    method itself measured or corrected.
    """

    scene: Scene
    gains: tuple[float, ...]
    shifts: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, scene: Scene, sensor: Sensor) -> Ruler:
        """The ruler of a scene, its shifts taken from the middle."""
        gains = sensor.gains(scene.bands)
        plain = ((0.0, 0.0),) * scene.bands
        crop = _crop(scene.grid, _middle(scene.grid.overlap))
        if crop is None:
            return cls(scene, gains, plain)
        pan, pan_valid = scene.read_pan(crop.pan)
        ms, ms_valid = scene.read_ms(crop.ms)
        observer = register(
            Observer(crop.grid, gains, plain),
            pan,
            ms,
            sensor.pan_gain,
            valid=pan_valid,
            ms_valid=ms_valid,
        )
        return cls(scene, gains, observer.shifts)

    def score_file(self, output: Path, limits: Limits) -> dict[str, float]:
        """Full-resolution scores of a written result."""
        with open_raster(output, limits=limits) as raster:

            def read(window: Window) -> tuple[Pixels, Mask]:
                return raster.read(window).astype(np.float32), raster.valid(window)

            return self.score(read)

    def score(self, fused: Fused) -> dict[str, float]:
        """Full-resolution scores of anything that gives fused windows."""
        rows = []
        for crop in crops(self.scene.grid):
            pixels, valid = fused(crop.pan)
            pan, pan_valid = self.scene.read_pan(crop.pan)
            ms, ms_valid = self.scene.read_ms(crop.ms)
            known = valid & pan_valid
            if known.any() and ms_valid.any():
                observer = Observer(crop.grid, self.gains, self.shifts)
                image = np.where(known, pixels, 0)
                rows.append(evaluate_full(image, pan, ms, observer, valid=known, ms_valid=ms_valid))
        return _mean(rows)


def _middle(area: Window) -> Window:
    height, width = min(CROP, area.height), min(CROP, area.width)
    top, left = area.row + (area.height - height) // 2, area.col + (area.width - width) // 2
    return Window(top, left, height, width)


def against_reference(
    output: Path, reference: Path, ratio: float, limits: Limits
) -> dict[str, float]:
    """Scores against a true image on the output's grid.

    Raises:
        ItemError: The reference has another size or number of bands.
    """
    with (
        open_raster(output, limits=limits) as made,
        open_raster(reference, limits=limits) as truth,
    ):
        _check_same_shape(made, truth)
        rows = []
        for window in _reference_windows(made.info.height, made.info.width):
            valid = made.valid(window) & truth.valid(window)
            if valid.any():
                pair = [
                    np.where(valid, r.read(window), 0).astype(np.float64) for r in (made, truth)
                ]
                peak = peak_of(truth.info.dtype, float(pair[1].max()))
                rows.append(evaluate_reduced(*pair, ratio=ratio, peak=peak, valid=valid))
    return _mean(rows)


def _check_same_shape(made: Raster, truth: Raster) -> None:
    shapes = [(r.info.count, r.info.height, r.info.width) for r in (made, truth)]
    if shapes[0] != shapes[1]:
        texts = ["×".join(map(str, shape)) for shape in shapes]
        raise ItemError(
            f"the reference {truth.info.path.name} is {texts[1]}, the result {texts[0]}",
            "give a reference on the PAN grid with the same bands",
            code="E328",
        )


def _reference_windows(height: int, width: int) -> Iterator[Window]:
    grid = GridMap(height, width, height, width, 1.0, 1.0, 0.0, 0.0)
    return (crop.pan for crop in crops(grid))


def peak_of(dtype: str, largest: float) -> float:
    """The greatest value PSNR is stated for: of 8 bits or of the bits that the data use."""
    if dtype == "uint8":
        return 255.0
    return float(2 ** int(np.ceil(np.log2(max(2.0, largest + 1)))) - 1)


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(row[name] for row in rows) for name in rows[0]} if rows else {}
