"""Files of some rows of an output, made apart and read back as if they were one.

A strip holds the values the output will hold, and one more band where the output has a mask. It is
written and verified like every raster, and read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.io.atomic import make_folder
from resattn.io.profile import RasterProfile
from resattn.io.raster import open_raster
from resattn.io.raster_writer import RasterWriter
from resattn.pipelines.plan import Item
from resattn.tiling import Window, tiles

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]
Make = Callable[[Window], tuple[Pixels, Valid | None]]
"""Values (B, h, w) of a window of the output, and which of its pixels (h, w) are real if not all"""
Part = tuple[Window, Pixels, Valid | None]
"""A window of the output with its values and which of its pixels are real"""


def cut(height: int, width: int, rows: int) -> list[Window]:
    """An output in strips of at least `rows` rows but for the last, from the top."""
    tops = range(0, height, rows)
    return [Window(top, 0, min(rows, height - top), width) for top in tops]


def squares(strip: Window, side: int) -> list[Window]:
    """A strip in windows of the output of at most `side` rows and columns, row by row."""
    inner = (tile.inner for tile in tiles(strip.height, strip.width, side))
    return [Window(strip.row + w.row, strip.col + w.col, w.height, w.width) for w in inner]


def write(path: Path, strip: Window, whole: RasterProfile, made: Iterable[Part]) -> None:
    """The file of a strip of the output that `whole` describes, as its parts come.

    Raises:
        OutputError: As `RasterWriter`.
    """
    profile = RasterProfile(
        height=strip.height,
        width=strip.width,
        count=whole.count + whole.has_mask,
        dtype=whole.dtype,
        compress="none",
        block=whole.block,
    )
    make_folder(path.parent)
    with RasterWriter(path, profile, overwrite=True) as writer:
        for window, pixels, valid in made:
            values = _with_mask(pixels, valid) if whole.has_mask else pixels
            writer.write(window.relative_to(strip), values)


def reader(strips: Sequence[Item], whole: RasterProfile) -> Make:
    """Windows of the output that `whole` describes, from the files of all its strips.

    What is made raises `ItemError` (E301) if a file is gone or damaged.
    """

    def window(wanted: Window) -> tuple[Pixels, Valid | None]:
        found = np.concatenate(list(_read(strips, wanted)), axis=1)
        if not whole.has_mask:
            return found, None
        return found[:-1], found[-1] != 0

    return window


def read(
    strips: Sequence[Item], whole: RasterProfile, windows: Iterable[Window]
) -> Iterator[list[Part]]:
    """Each window of the output as one part, see `reader`."""
    make = reader(strips, whole)
    for window in windows:
        yield [(window, *make(window))]


def _read(strips: Sequence[Item], wanted: Window) -> Iterator[Pixels]:
    for item in strips:
        common = None if item.strip is None else wanted.intersection(item.strip)
        if item.strip is not None and common is not None:
            with open_raster(item.output) as raster:
                yield raster.read(common.relative_to(item.strip))


def _with_mask(pixels: Pixels, valid: Valid | None) -> Pixels:
    mask = np.ones(pixels.shape[1:], np.bool_) if valid is None else valid
    stacked: Pixels = np.concatenate([pixels, mask[None].astype(pixels.dtype)])
    return stacked
