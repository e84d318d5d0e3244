"""PAN and MS of one scene, open together and read by windows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.fusion.geometry import GridMap, ImageGrid, match
from resattn.io.raster import Raster, RasterInfo, open_raster
from resattn.io.sniff import Limits
from resattn.tiling import Window

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Band:
    """One MS band: the file it is in and its number there."""

    raster: Raster
    number: int

    @property
    def description(self) -> str | None:
        """Its name in the file, or the file's own name where one file holds one band."""
        name = self.raster.info.descriptions[self.number - 1]
        return name or (self.raster.info.path.stem if self.raster.info.count == 1 else None)

    @property
    def nodata(self) -> float | None:
        """The value that marks a missing pixel."""
        return self.raster.info.nodata[self.number - 1]


class SceneReader:
    """Windows of PAN, (h, w), and of MS, (B, h, w), as float32 in digital numbers.

    Threads may read at once: a GDAL dataset serves one at a time, so they take turns.

    Attributes:
        turn: Held while a dataset is read; hold it to close them.
    """

    def __init__(self, pan: Raster, bands: Sequence[Band]) -> None:
        self.pan_info = pan.info
        self.bands = tuple(bands)
        self.grid: GridMap = match(_grid(pan.info), _grid(self.ms_info))
        self._pan = pan
        self.turn = threading.Lock()

    @property
    def ms_info(self) -> RasterInfo:
        """The file of the first MS band; the others share its grid."""
        return self.bands[0].raster.info

    def read_pan(self, window: Window) -> tuple[Image, Mask]:
        """PAN and which of its pixels are real."""
        with self.turn:
            pixels = self._pan.read(window, [1])[0].astype(np.float32)
            return pixels, self._pan.valid(window, [1])

    def read_ms(self, window: Window) -> tuple[Image, Mask]:
        """MS and where every band is real."""
        pixels = np.empty((len(self.bands), window.height, window.width), np.float32)
        valid = np.ones((window.height, window.width), np.bool_)
        for raster in dict.fromkeys(band.raster for band in self.bands):
            wanted = [i for i, band in enumerate(self.bands) if band.raster is raster]
            numbers = [self.bands[i].number for i in wanted]
            with self.turn:
                pixels[wanted] = raster.read(window, numbers)
                valid &= raster.valid(window, numbers)
        return pixels, valid


@contextmanager
def open_scene(
    pan: Path, ms: Sequence[Path], *, bands: Sequence[int] = (), limits: Limits | None = None
) -> Iterator[SceneReader]:
    """A scene open for reading.

    Args:
        pan: PAN file; its first band is used.
        ms: One MS file, or band files in band order, which must share one grid.
        bands: Which MS bands to take, counted from 1 over all files in order; all by default.
        limits: What each file may claim; `Limits()` by default.

    Raises:
        ItemError: A file is damaged, PAN has several bands, a band is missing, band files differ
            in grid or type, or the two images do not fit together (E320 to E326).
    """
    with ExitStack() as stack:
        pan_raster = stack.enter_context(open_raster(pan, limits=limits))
        if pan_raster.info.count != 1:
            raise ItemError(
                f"PAN {pan} has {pan_raster.info.count} bands",
                "PAN and MS look swapped: give the single-band image first",
                code="E320",
            )
        rasters = [stack.enter_context(open_raster(path, limits=limits)) for path in ms]
        every = [Band(raster, n) for raster in rasters for n in range(1, raster.info.count + 1)]
        _check_one_grid(rasters)
        scene = SceneReader(pan_raster, _choose(every, bands))
        try:
            yield scene
        finally:
            # After an interrupt threads may still be at work: GDAL aborts the whole process when a
            # dataset is closed while it is read.
            with scene.turn:
                stack.close()


def _choose(every: Sequence[Band], wanted: Sequence[int]) -> Sequence[Band]:
    for number in wanted:
        if not 1 <= number <= len(every):
            raise ItemError(
                f"band {number} was asked for, MS has {len(every)}",
                f"choose --bands from 1 to {len(every)}",
                code="E319",
            )
    return [every[number - 1] for number in wanted] or every


def _check_one_grid(rasters: Sequence[Raster]) -> None:
    first = rasters[0].info
    for raster in rasters[1:]:
        info = raster.info
        same = (info.height, info.width, info.dtype, info.crs) == (
            first.height,
            first.width,
            first.dtype,
            first.crs,
        ) and info.transform.almost_equals(first.transform)
        if not same:
            raise ItemError(
                f"band files differ: {first.path.name} is {first.height}×{first.width} "
                f"{first.dtype}, {info.path.name} is {info.height}×{info.width} {info.dtype}",
                "give bands of one grid and type",
                code="E326",
            )


def _grid(info: RasterInfo) -> ImageGrid:
    t = info.transform
    transform = (t.a, t.b, t.c, t.d, t.e, t.f) if info.georeferenced else None
    return ImageGrid(info.height, info.width, transform, info.crs)
