"""A photograph or a raster as a detector takes it: three bands of eight bits, by windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resattn.detection.stretch import Eight, Stretch, choose
from resattn.errors import ItemError
from resattn.io.ground import Ground
from resattn.io.image import read_image
from resattn.io.names import shown
from resattn.io.raster import Raster, open_raster
from resattn.io.sniff import Limits, identify, local_path
from resattn.tiling import Window

STREAMED = ("tiff", "jp2")
"""Formats read by windows; the others are photographs, which are read whole."""


@dataclass(frozen=True, slots=True)
class Colours:
    """How rasters became red, green and blue in training.

    Attributes:
        bands: One or three band numbers from 1; empty where a raster says it.
        scale: The values that became 0 and 255; None if measured in each.
    """

    bands: tuple[int, ...] = ()
    scale: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """An open picture.

    Attributes:
        path: Where it was read from.
        height: Rows, of a photograph when it stands upright.
        width: Columns.
        streamed: Whether it is a raster that is read by windows.
        ground: Where it lies, if it says so.
        bands: Numbers, from 1, of the bands that become red, green and blue.
        stretch: How they become eight bits; None if they are.
        read: The pixels (3, h, w) of a window inside the picture.
        empty: Whether a window holds no valid pixel.
    """

    path: Path
    height: int
    width: int
    streamed: bool
    ground: Ground | None
    bands: tuple[int, ...]
    stretch: Stretch | None
    read: Callable[[Window], Eight]
    empty: Callable[[Window], bool]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width


@contextmanager
def open_picture(
    path: str | Path,
    *,
    bands: Sequence[int] = (),
    scale: tuple[float, float] | None = None,
    trained: Colours | None = None,
    limits: Limits | None = None,
) -> Iterator[Picture]:
    """A photograph or raster open for reading by windows; memory of a raster stays flat.

    Args:
        path: TIFF, JPEG 2000, PNG, JPEG or WebP.
        bands: One or three band numbers from 1; by default those of `trained`, those a raster
            calls red, green and blue, its first three, or the one it has.
        scale: The values that become 0 and 255; by default those of `trained`, else what
            `resattn.detection.stretch.choose` measures.
        trained: What rasters, but not photographs, are taken as where nothing else is said.
        limits: What the file may claim.

    Raises:
        ItemError: E306 for a band the picture lacks, E301–E315 as `resattn.io` says.
    """
    source = local_path(path)
    if identify(source, limits or Limits()).format in STREAMED:
        with open_raster(source, limits=limits) as raster:
            usual = trained or Colours()
            yield _of_raster(raster, bands or usual.bands, scale or usual.scale)
    else:
        yield _of_photograph(source, bands, scale, limits)


def _of_raster(raster: Raster, bands: Sequence[int], scale: tuple[float, float] | None) -> Picture:
    info = raster.info
    chosen = _chosen(info.path, bands, info.count) or _natural(info.colorinterp, info.count)
    stretch = choose(raster, chosen, scale)

    def read(window: Window) -> Eight:
        pixels = raster.read(window, chosen)
        return _three(pixels.astype(np.uint8) if stretch is None else stretch.apply(pixels))

    def empty(window: Window) -> bool:
        return not raster.valid(window, chosen, per_band=True).any()

    return Picture(
        info.path, info.height, info.width, True, Ground.of(info), chosen, stretch, read, empty
    )


def _of_photograph(
    path: Path, bands: Sequence[int], scale: tuple[float, float] | None, limits: Limits | None
) -> Picture:
    pixels = read_image(path, limits=limits).pixels
    count, height, width = pixels.shape
    chosen = _chosen(path, bands, count) or tuple(range(1, count + 1))
    picked = pixels[[band - 1 for band in chosen]]
    stretch = Stretch.same(scale, len(chosen)) if scale else None
    if stretch is not None:
        eight = stretch.apply(picked)
    else:
        eight = np.asarray(picked if picked.dtype == np.uint8 else picked // 257, np.uint8)

    def read(window: Window) -> Eight:
        return _three(eight[(slice(None), *window.slices)])

    return Picture(path, height, width, False, None, chosen, stretch, read, lambda _: False)


def _chosen(path: Path, bands: Sequence[int], count: int) -> tuple[int, ...]:
    missing = [band for band in bands if not 1 <= band <= count]
    if missing:
        raise ItemError(
            f"{shown(path.name)} has {count} bands, not {missing[0]}",
            "choose others by --bands",
            code="E306",
        )
    return tuple(bands)


def _natural(colours: Sequence[str], count: int) -> tuple[int, ...]:
    if {"red", "green", "blue"} <= set(colours):
        return tuple(colours.index(colour) + 1 for colour in ("red", "green", "blue"))
    return (1, 2, 3) if count >= 3 else (1,)


def _three(pixels: Eight) -> Eight:
    return pixels if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
