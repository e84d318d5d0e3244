"""Decoded tiles into files: rasters and PNG as a stream, other photographs encoded whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from resattn.codec import container
from resattn.codec.container import Layout
from resattn.codec.damage import DamageError
from resattn.codec.describe import unpack_profile
from resattn.codec.files import RacFile, damaged
from resattn.codec.header import Head
from resattn.errors import ItemError, OutputError
from resattn.io.image import SUFFIXES, write_image
from resattn.io.metadata import Metadata
from resattn.io.png_writer import PngWriter
from resattn.io.profile import RasterProfile
from resattn.io.raster_writer import RasterWriter
from resattn.pipelines.provenance import stamped, succeeding
from resattn.tiling import Window

Pixels = NDArray[np.generic]
Present = NDArray[np.bool_]

RASTER_SUFFIXES: Final = (".tif", ".tiff")
_LARGEST_WHOLE: Final = 2**28
"""Samples of a JPEG or WebP, which are encoded from memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """The output of one item: a file, the part of the image it will hold, and what made it."""

    path: Path
    window: Window
    inputs: tuple[Path, ...]
    overwrite: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        """The format, as a lower-case file suffix."""
        return self.path.suffix.lower()


class Sink(Protocol):
    """Takes the tiles of an output from left to right and from top to bottom."""

    def write(self, window: Window, pixels: Pixels, present: Present | None) -> None:
        """All bands (B, h, w) of a window of the output, and which pixels are real."""


def usual_suffix(layout: Layout | None) -> str:
    """``.png`` for what was a photograph or cannot be read, ``.tif`` for everything else."""
    photo = layout is None or (_fits_png(layout.head) and container.GEO not in layout.chunks)
    return ".png" if photo else ".tif"


@contextmanager
def create(target: Target, file: RacFile) -> Iterator[Sink]:
    """The output file: complete and verified when the block ends, absent after an error.

    Raises:
        OutputError: E401–E404 as `resattn.io.atomic` says; E406 if the format cannot hold the
            image.
        ItemError: E301 if the description of a raster is damaged, E305 if the format has to be
            encoded whole and the image is too large for that.
    """
    if target.suffix in RASTER_SUFFIXES:
        profile = _profile(target, file)
        with RasterWriter(
            target.path, profile, inputs=target.inputs, overwrite=target.overwrite
        ) as writer:
            yield _RasterSink(writer, profile)
        return
    _check_photo(target, file)
    metadata = stamped(_metadata(file), target.tags)
    if target.suffix == ".png":
        with PngWriter(
            target.path,
            target.window.height,
            target.window.width,
            file.head.bands,
            file.head.dtype,
            metadata=metadata,
            inputs=target.inputs,
            overwrite=target.overwrite,
        ) as rows:
            yield _PngSink(rows, target.window.width)
        return
    sink = _WholeSink(target, file)
    yield sink
    write_image(
        target.path,
        sink.colours,
        alpha=sink.alpha,
        metadata=metadata,
        inputs=target.inputs,
        overwrite=target.overwrite,
    )


class _RasterSink:
    def __init__(self, writer: RasterWriter, profile: RasterProfile) -> None:
        self._writer, self._has_mask = writer, profile.has_mask

    def write(self, window: Window, pixels: Pixels, present: Present | None) -> None:
        """See `Sink`."""
        valid: Present | None = None
        if self._has_mask:
            real = np.ones_like(pixels, np.bool_) if present is None else present
            valid = np.logical_and.reduce(real)
        self._writer.write(window, pixels, valid)


class _PngSink:
    """Holds one row of tiles."""

    def __init__(self, rows: PngWriter, width: int) -> None:
        self._rows, self._width = rows, width
        self._pending: list[Pixels] = []

    def write(self, window: Window, pixels: Pixels, present: Present | None) -> None:
        """See `Sink`."""
        del present
        self._pending.append(pixels)
        if window.right == self._width:
            self._rows.write_rows(np.concatenate(self._pending, axis=2))
            self._pending = []


class _WholeSink:
    """Holds the whole image."""

    def __init__(self, target: Target, file: RacFile) -> None:
        head, window = file.head, target.window
        self._pixels = np.empty((head.bands, window.height, window.width), head.dtype)
        self.colours = self._pixels if head.alpha is None else self._pixels[:-1]
        self.alpha = None if head.alpha is None else self._pixels[-1]

    def write(self, window: Window, pixels: Pixels, present: Present | None) -> None:
        """See `Sink`."""
        del present
        self._pixels[:, *window.slices] = pixels


def _profile(target: Target, file: RacFile) -> RasterProfile:
    head, data = file.head, file.layout.chunks.get(container.GEO)
    block = next(side for side in (512, 256, 128, 64) if head.tile % side == 0)
    if data is not None:
        try:
            profile = unpack_profile(data, head, target.window)
            tags = succeeding(profile.tags, target.tags)
            return replace(profile, tags=tags, block=block)
        except DamageError as error:
            raise damaged(file.path, str(error)) from error
    names = ("red", "green", "blue") if head.bands >= 3 else ("gray",)
    described = (*names, "alpha") if head.alpha is not None else names
    return RasterProfile(
        height=target.window.height,
        width=target.window.width,
        count=head.bands,
        dtype=head.dtype,
        colorinterp=described if len(described) == head.bands else (),
        icc=file.layout.chunks.get(container.ICC),
        tags=target.tags,
        block=block,
    )


def _metadata(file: RacFile) -> Metadata:
    chunks = file.layout.chunks
    return Metadata(*(chunks.get(tag) for tag in (container.ICC, container.EXIF, container.XMP)))


def _fits_png(head: Head) -> bool:
    colours = head.bands - (head.alpha is not None)
    last = head.alpha in (None, head.bands - 1)
    return colours in (1, 3) and last and head.dtype in ("uint8", "uint16")


def _check_photo(target: Target, file: RacFile) -> None:
    head = file.head
    if target.suffix not in SUFFIXES:
        known = ", ".join((*RASTER_SUFFIXES, *SUFFIXES))
        raise OutputError(
            f"{target.path.name} does not end in one of {known}", "choose such a name", code="E406"
        )
    eight_bits = target.suffix == ".png" or head.dtype == "uint8"
    opaque = target.suffix not in (".jpg", ".jpeg") or head.alpha is None
    if not (_fits_png(head) and eight_bits and opaque):
        raise OutputError(
            f"{target.path.name} cannot hold {head.bands} bands of {head.dtype}",
            f"name a {'.png or ' if _fits_png(head) else ''}.tif output",
            code="E406",
        )
    samples = math.prod((head.bands, target.window.height, target.window.width))
    if target.suffix != ".png" and samples > _LARGEST_WHOLE:
        raise ItemError(
            f"{target.window.width}×{target.window.height} pixels cannot be encoded as "
            f"{target.suffix} in parts",
            "name a .png or .tif output, or take a --window",
            code="E305",
        )


def lost(target: Target, file: RacFile) -> Iterable[str]:
    """Sentences on what the format of the output has no room for."""
    chunks = file.layout.chunks
    if target.suffix in RASTER_SUFFIXES:
        names = [
            n for n, tag in (("EXIF", container.EXIF), ("XMP", container.XMP)) if tag in chunks
        ]
        return [f"{' and '.join(names)} of the photograph not written to TIFF"] if names else []
    if container.GEO in chunks:
        return [f"the georeference is lost in {target.suffix}: name a .tif output"]
    return []
