"""Enlarged images into files: georeferenced rasters as a stream, photographs encoded whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from resattn.errors import ItemError, OutputError
from resattn.io.image import SUFFIXES, write_image
from resattn.io.png_writer import PngWriter
from resattn.io.profile import RasterProfile
from resattn.io.raster import RasterInfo
from resattn.io.raster_writer import RasterWriter
from resattn.pipelines.pictures import (
    COLOURS,
    Photo,
    RasterPicture,
    bands_in_order,
)
from resattn.pipelines.provenance import stamped, succeeding
from resattn.tiling import Window

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]

RASTER_SUFFIXES: Final = (".tif", ".tiff")

_LARGEST_SIDE: Final = {".jpg": 65_535, ".jpeg": 65_535, ".webp": 16_383}
_ENCODING_FACTOR: Final = {".jpg": 1.5, ".jpeg": 1.5, ".webp": 4.0}
"""Peak memory of encoding, relative to the pixels (measured, 2026-11)."""

_SHARE: Final = 0.75
"""Of ``--ram``, for what is estimated: the rest is for what is not."""

_BASE_BYTES: Final = 500_000_000
"""What the process holds without an image, network and one cell included (measured, 2026-11)."""


@dataclass(frozen=True, slots=True)
class Target:
    """The output of one item, before its first pixel.

    Attributes:
        path: The file to be made; its suffix is the format.
        height: Rows.
        width: Columns.
        tags: Provenance, for formats that have room for it.
        side: The windows that will be written start at multiples of it.
        inputs: Files being read.
        overwrite: Replace the file if it exists.
        cog: Write a Cloud-Optimized GeoTIFF.
        keep_location: Keep the place a photograph was taken at.
        ram_bytes: Memory to stay below.
    """

    path: Path
    height: int
    width: int
    tags: Mapping[str, str]
    side: int
    inputs: tuple[Path, ...]
    overwrite: bool = False
    cog: bool = False
    keep_location: bool = False
    ram_bytes: int = 2 * 10**9

    @property
    def suffix(self) -> str:
        """The format, as a lower-case file suffix."""
        return self.path.suffix.lower()


class Sink(Protocol):
    """Takes the windows of an output."""

    nodata: float | None

    def write(self, window: Window, pixels: Pixels, valid: Valid | None) -> None:
        """All bands (B, h, w) of a window, and which of its pixels (h, w) are real."""


@contextmanager
def create(target: Target, picture: Photo | RasterPicture) -> Iterator[Sink]:
    """The output file: complete and verified when the block ends, absent after an error.

    Raises:
        OutputError: E401–E404 as `resattn.io.atomic` says; E406 if the format cannot hold the
            image.
        ItemError: E305 if the format has to be encoded whole and the image is too large for that.
    """
    if target.suffix in RASTER_SUFFIXES:
        profile = profile_of(target, picture)
        with RasterWriter(
            target.path,
            profile,
            inputs=target.inputs,
            overwrite=target.overwrite,
            cog=target.cog,
        ) as writer:
            yield _RasterSink(writer, profile)
        return
    check_photo(target, picture)
    metadata = None
    if isinstance(picture, Photo):
        metadata = picture.info.metadata.for_turned_pixels(keep_location=target.keep_location)
    metadata = stamped(metadata, target.tags)
    if target.suffix == ".png":
        with PngWriter(
            target.path,
            target.height,
            target.width,
            picture.count,
            picture.dtype,
            metadata=metadata,
            inputs=target.inputs,
            overwrite=target.overwrite,
        ) as rows:
            yield _PngSink(rows, target, picture)
        return
    sink = _PhotoSink(target, picture)
    yield sink
    write_image(
        target.path,
        sink.pixels,
        alpha=sink.alpha,
        metadata=metadata,
        inputs=target.inputs,
        overwrite=target.overwrite,
    )


def losses(target: Target, picture: Photo | RasterPicture) -> tuple[str, ...]:
    """Sentences on what the format of the output has no room for."""
    to_raster = target.suffix in RASTER_SUFFIXES
    if isinstance(picture, RasterPicture):
        lost = picture.info.georeferenced and not to_raster
        return (f"the georeference is lost in {target.suffix}: name a .tif output",) * lost
    blocks = picture.info.metadata
    names = [name for name, block in (("EXIF", blocks.exif), ("XMP", blocks.xmp)) if block]
    if not (names and to_raster):
        return ()
    return (f"{' and '.join(names)} of the photograph not written to TIFF",)


def check_photo(target: Target, picture: Photo | RasterPicture) -> None:
    """Refuse, before any work, what the format of a photograph cannot hold.

    Raises:
        OutputError: E406 for the type, the number of bands, transparency or the size.
        ItemError: E305 if it would not fit into memory.
    """
    suffix, eight_bit_only = target.suffix, target.suffix != ".png"
    dtype = np.dtype(picture.dtype)
    colours = picture.count - (picture.alpha is not None)
    if colours not in (1, 3):
        _refuse(target, f"it cannot hold {picture.count} bands")
    if dtype != np.uint8 and (eight_bit_only or dtype != np.uint16):
        _refuse(target, f"it cannot hold pixels of type {dtype}")
    if picture.alpha is not None and suffix in (".jpg", ".jpeg"):
        _refuse(target, "it cannot hold transparency")
    longest = max(target.height, target.width)
    if longest > _LARGEST_SIDE.get(suffix, longest):
        _refuse(target, f"no side may exceed {_LARGEST_SIDE[suffix]} pixels, got {longest}")
    if suffix == ".png":
        return  # written row by row
    pixel_bytes = target.height * target.width * picture.count * dtype.itemsize
    needed = int(pixel_bytes * _ENCODING_FACTOR[suffix]) + _BASE_BYTES
    allowed = _SHARE * target.ram_bytes
    if needed > allowed:
        raise ItemError(
            f"{target.width}×{target.height} pixels need {needed / 1e9:.2f} GB to be encoded as "
            f"{suffix}, --ram {target.ram_bytes / 1e9:g}GB leaves {allowed / 1e9:.2f}",
            "name a .tif or .png output, which is written as a stream, or raise --ram",
            code="E305",
        )


def _refuse(target: Target, why: str) -> None:
    raise OutputError(
        f"cannot write {target.path.name}: {why}", "name a .tif or .png output", code="E406"
    )


class _RasterSink:
    def __init__(self, writer: RasterWriter, profile: RasterProfile) -> None:
        self.nodata = profile.nodata
        self._writer = writer
        self._has_mask = profile.has_mask

    def write(self, window: Window, pixels: Pixels, valid: Valid | None) -> None:
        """See `Sink`."""
        if not self._has_mask:
            valid = None
        elif valid is None:
            valid = np.ones(pixels.shape[1:], np.bool_)
        self._writer.write(window, pixels, valid)


class _PhotoSink:
    """Holds the whole image."""

    nodata: float | None = None

    def __init__(self, target: Target, picture: Photo | RasterPicture) -> None:
        self._order = _stored_order(picture)
        colours = len(bands_in_order(picture))
        # Stored as the encoder wants it (blue first, bands last): it then needs no second copy.
        stored = np.empty((target.height, target.width, picture.count), picture.dtype)
        bands = stored.transpose(2, 0, 1)
        self.pixels = bands[:colours][::-1]
        self.alpha = None if picture.alpha is None else bands[colours]

    def write(self, window: Window, pixels: Pixels, valid: Valid | None) -> None:
        """See `Sink`; a photograph has no mask but its transparency."""
        del valid
        ordered = pixels[self._order]
        self.pixels[(slice(None), *window.slices)] = ordered[: len(self.pixels)]
        if self.alpha is not None:
            self.alpha[window.slices] = ordered[-1]


class _PngSink:
    """Holds one row of windows, which come from left to right and from top to bottom."""

    nodata: float | None = None

    def __init__(self, rows: PngWriter, target: Target, picture: Photo | RasterPicture) -> None:
        self._rows = rows
        self._width = target.width
        self._order = _stored_order(picture)
        self._strip: Pixels = np.empty((picture.count, 0, 0), picture.dtype)

    def write(self, window: Window, pixels: Pixels, valid: Valid | None) -> None:
        """See `Sink`."""
        del valid
        if window.col == 0:
            self._strip = np.empty((len(pixels), window.height, self._width), pixels.dtype)
        self._strip[:, :, window.col : window.right] = pixels[self._order]
        if window.right == self._width:
            self._rows.write_rows(self._strip)


def _stored_order(picture: Photo | RasterPicture) -> list[int]:
    """Bands as photographs have them: red, green, blue, transparency."""
    bands = list(bands_in_order(picture))
    return bands if picture.alpha is None else [*bands, picture.alpha]


def profile_of(target: Target, picture: Photo | RasterPicture) -> RasterProfile:
    """The description of an output that is a raster."""
    if isinstance(picture, RasterPicture):
        profile = _enlarged(picture, target)
    else:
        names = COLOURS if picture.colours else ("gray",)
        profile = RasterProfile(
            height=target.height,
            width=target.width,
            count=picture.count,
            dtype=picture.dtype,
            colorinterp=(*names, "alpha") if picture.alpha is not None else names,
            icc=picture.info.metadata.icc,
        )
    return replace(profile, tags=succeeding(profile.tags, target.tags), block=_block(target.side))


def _enlarged(picture: RasterPicture, target: Target) -> RasterProfile:
    """The description of a raster on a finer grid over the same ground."""
    profile, info = RasterProfile.of(picture.info), picture.info
    rows, cols = target.height / info.height, target.width / info.width
    is_float = np.dtype(info.dtype).kind == "f"
    # GDAL reports transparency as a mask too; it is a band, and is stored as one only.
    has_mask = profile.has_mask and picture.alpha is None
    fallback = float("nan") if is_float and not has_mask else None
    return replace(
        profile,
        height=target.height,
        width=target.width,
        transform=_finer_grid(info, target) if info.georeferenced else info.transform,
        nodata=fallback if profile.nodata is None else profile.nodata,
        has_mask=has_mask,
        gcps=tuple(_moved(point, rows, cols) for point in info.gcps),
        rpcs=None if info.rpcs is None else _finer(info.rpcs, rows, cols),
    )


def _finer_grid(info: RasterInfo, target: Target) -> Affine:
    """The same corners with more pixels between them."""
    old, across, down = info.transform, info.width / target.width, info.height / target.height
    return Affine(old.a * across, old.b * down, old.c, old.d * across, old.e * down, old.f)


def _moved(point: Any, rows: float, cols: float) -> Any:
    """A ground control point on the finer grid; it counts from pixel corners."""
    moved = copy.copy(point)
    moved.row, moved.col = point.row * rows, point.col * cols
    return moved


def _finer(rpcs: Any, rows: float, cols: float) -> Any:
    """Rational polynomials on the finer grid; they count from pixel centres."""
    finer = copy.copy(rpcs)
    finer.line_off = (rpcs.line_off + 0.5) * rows - 0.5
    finer.samp_off = (rpcs.samp_off + 0.5) * cols - 0.5
    finer.line_scale, finer.samp_scale = rpcs.line_scale * rows, rpcs.samp_scale * cols
    return finer


def _block(side: int) -> int:
    """The largest usual block that divides the windows: none is ever left half written."""
    return next(block for block in (512, 256, 128, 64, 32, 16) if side % block == 0)


def output_suffix(path: Path) -> str:
    """The suffix of the output for an input: its own where that can be written."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES or suffix in RASTER_SUFFIXES:
        return path.suffix
    return ".tif"
