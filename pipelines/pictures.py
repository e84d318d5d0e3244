"""Photographs and rasters behind one face: pixels and validity by windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.io.image import Image, read_image
from resattn.io.raster import Raster, RasterInfo, open_raster
from resattn.io.sniff import Limits, identify, local_path
from resattn.tiling import Window

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]

WHOLE_PIXELS: Final = 2**26
"""Most pixels of a photograph: its decoder holds all of them, three times for a moment."""

COLOURS: Final = ("red", "green", "blue")
_FOREIGN: Final = {"cmyk": "CMYK", "cielab": "CIE Lab", "icclab": "ICC Lab", "itulab": "ITU Lab"}


class Picture(Protocol):
    """An open image; bands count from 0 and `alpha` is one of them, or None."""

    height: int
    width: int
    count: int
    dtype: str
    alpha: int | None

    @property
    def colours(self) -> tuple[int, ...]:
        """Which bands are red, green and blue; empty if none are."""

    def read(self, window: Window) -> Pixels:
        """All bands (B, h, w) in the file's own type."""

    def valid(self, window: Window) -> Valid | None:
        """Which pixels (B, h, w) are real; None if the file cannot say that one is not."""

    def present(self, window: Window) -> Valid | None:
        """The same, but that a transparent pixel counts as real."""


class Photo:
    """A decoded PNG, JPEG or WebP, its transparency as the last band."""

    def __init__(self, image: Image) -> None:
        self.info = image.info
        self._pixels, self._alpha = image.pixels, image.alpha
        self.height, self.width = image.info.height, image.info.width
        self.dtype = image.info.dtype
        self.alpha = None if image.alpha is None else len(image.pixels)
        self.count = len(image.pixels) + (image.alpha is not None)

    @property
    def colours(self) -> tuple[int, ...]:
        """The three bands, unless the photograph is grey."""
        return (0, 1, 2) if len(self._pixels) == 3 else ()

    def read(self, window: Window) -> Pixels:
        """All bands, see `Picture`."""
        pixels = self._pixels[(slice(None), *window.slices)]
        if self._alpha is None:
            return pixels
        return np.concatenate([pixels, self._alpha[None, *window.slices]])

    def valid(self, window: Window) -> Valid | None:
        """Colour under full transparency means nothing."""
        if self._alpha is None:
            return None
        valid = np.ones((self.count, window.height, window.width), np.bool_)
        valid[:-1] = self._alpha[window.slices] != 0
        return valid

    def present(self, window: Window) -> Valid | None:
        """A photograph has no holes."""
        del window
        return None


class RasterPicture:
    """A raster read by windows."""

    def __init__(self, raster: Raster) -> None:
        info = raster.info
        self.info = info
        self._raster = raster
        self.height, self.width, self.count, self.dtype = (
            info.height,
            info.width,
            info.count,
            info.dtype,
        )
        self.alpha = info.colorinterp.index("alpha") if "alpha" in info.colorinterp else None
        marked = any(value is not None for value in info.nodata) or self.alpha is not None
        self._has_holes = marked or info.has_mask or np.dtype(info.dtype).kind == "f"

    @property
    def colours(self) -> tuple[int, ...]:
        """As the file says, whatever their order."""
        names = self.info.colorinterp
        found = tuple(names.index(name) for name in COLOURS if name in names)
        return found if len(found) == len(COLOURS) else ()

    def read(self, window: Window) -> Pixels:
        """All bands, see `Picture`."""
        return self._raster.read(window)

    def valid(self, window: Window) -> Valid | None:
        """By nodata, NaN, mask and transparency, each band by itself."""
        return self._raster.valid(window, per_band=True) if self._has_holes else None

    def present(self, window: Window) -> Valid | None:
        """By nodata, NaN and mask, each band by itself."""
        valid = self.valid(window)
        if valid is None or self.alpha is None:
            return valid
        (alpha,) = self._raster.read(window, [self.alpha + 1])
        present: Valid = valid | (alpha == 0)
        return present


@contextmanager
def open_picture(path: Path, *, max_pixels: int = 0) -> Iterator[Photo | RasterPicture]:
    """An image open for reading, photograph or raster by its first bytes.

    Args:
        path: A local file.
        max_pixels: What it may claim; 0 takes the limits of its kind.

    Raises:
        ItemError: E301–E315 as `resattn.io` says; E310 also for colour tables and colour spaces
            that are neither grey nor RGB, and for complex numbers.
    """
    limits = Limits(whole_pixels=WHOLE_PIXELS)
    if max_pixels:
        limits = replace(limits, pixels=max_pixels, whole_pixels=max_pixels)
    header = identify(local_path(path), limits)
    if header.format in ("tiff", "jp2"):
        with open_raster(path, limits=limits) as raster:
            _refuse_unread_kinds(raster.info)
            yield RasterPicture(raster)
    else:
        yield Photo(read_image(path, limits=limits))


def _refuse_unread_kinds(info: RasterInfo) -> None:
    if np.dtype(info.dtype).kind == "c":
        what, remedy = "complex numbers", "write amplitude and phase as bands of their own"
    elif "palette" in info.colorinterp:
        what, remedy = "a colour table", "make RGB of it with gdal_translate -expand rgb"
    elif (info.photometric or "").lower() in _FOREIGN:
        what, remedy = _FOREIGN[(info.photometric or "").lower()], "convert it to RGB"
    else:
        return
    raise ItemError(
        f"{info.path.name} holds {what}, which this command cannot work on", remedy, code="E310"
    )


def bands_in_order(picture: Photo | RasterPicture) -> tuple[int, ...]:
    """Every band but transparency: red, green and blue first where there are such."""
    rest = set(range(picture.count)) - {picture.alpha} - set(picture.colours)
    return (*picture.colours, *sorted(rest))
