"""Reading rasters by windows: pixels in their own type, and which of them are real.

Everything about a file that an output must keep (georeference, nodata, names, tags) is in its
`RasterInfo`, so a pipeline needs rasterio neither to read nor to write.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.rpc import RPC

from resattn.errors import ItemError
from resattn.io.faultpoints import reach
from resattn.io.gdal import DRIVERS, GDAL_ERRORS, environment, gdal_path, opening, reason
from resattn.io.headers import Format, Header
from resattn.io.names import shown
from resattn.io.sniff import Limits, check_size, identify, local_path
from resattn.tiling import Window

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]
Outside = Literal["refuse", "edge", "nodata"]


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a raster says of itself; tuples have one entry per band.

    Attributes:
        transform: From (column, row) of pixel corners to the CRS; identity if there is none.
        nodata: The value that marks a missing pixel, or None.
        tags: The file's own tags; `band_tags` those of its bands.
        block: Rows and columns of one stored block.
        has_mask: Whether a mask beside the bands says which pixels are real.
        icc: The colour profile of a photograph.
        pages: Images in the file, of which the first is read.
    """

    path: Path
    format: Format
    height: int
    width: int
    count: int
    dtype: str
    crs: CRS | None
    transform: Affine
    nodata: tuple[float | None, ...]
    descriptions: tuple[str | None, ...]
    tags: Mapping[str, str]
    band_tags: tuple[Mapping[str, str], ...]
    colorinterp: tuple[str, ...]
    photometric: str | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    units: tuple[str | None, ...]
    block: tuple[int, int]
    gcps: tuple[GroundControlPoint, ...]
    gcps_crs: CRS | None
    rpcs: RPC | None
    has_mask: bool
    icc: bytes | None
    pages: int

    @property
    def window(self) -> Window:
        """All pixels."""
        return Window(0, 0, self.height, self.width)

    @property
    def georeferenced(self) -> bool:
        """Whether the file says where it lies, by a CRS or a transform."""
        return self.crs is not None or self.transform != Affine.identity()


class Raster:
    """An open raster; made by `open_raster`. Bands count from 1, as in every GDAL tool.

    Threads may share one; they read in turns, since a GDAL dataset serves one thread at a time.
    """

    def __init__(self, dataset: DatasetReader, info: RasterInfo) -> None:
        self._dataset = dataset
        self._turn = threading.Lock()
        self._masked = [_is_masked(flags) for flags in dataset.mask_flag_enums]
        self.info = info

    def read(
        self,
        window: Window | None = None,
        bands: Sequence[int] | None = None,
        *,
        outside: Outside = "refuse",
    ) -> Pixels:
        """Pixels (B, h, w) in the file's own type.

        Args:
            window: The pixels wanted; all by default.
            bands: Band numbers from 1; all by default.
            outside: What to put where the window leaves the image: nothing ("refuse"), the
                nearest pixel ("edge"), or each band's nodata value, else 0 ("nodata").

        Raises:
            ItemError: E301 if the file is truncated or damaged there.
            ValueError: If the window leaves the image unasked, or lies wholly outside it.
        """
        wanted = window or self.info.window
        chosen = self._bands(bands)
        inside = self._inside(wanted, outside)
        pixels = self._read_inside(inside, chosen)
        if inside == wanted:
            return pixels
        margins = _margins(wanted, inside)
        if outside == "edge":
            return np.pad(pixels, ((0, 0), *margins), mode="edge")
        fills = [_as_dtype(self.info.nodata[band - 1], pixels.dtype) for band in chosen]
        padded = [
            np.pad(plane, margins, constant_values=0 if fill is None else fill)
            for plane, fill in zip(pixels, fills, strict=True)
        ]
        return np.stack(padded)

    def valid(
        self,
        window: Window | None = None,
        bands: Sequence[int] | None = None,
        *,
        per_band: bool = False,
        outside: Outside = "refuse",
    ) -> Valid:
        """Which pixels are real, (h, w), or (B, h, w) if `per_band`.

        A pixel is real if it is not nodata, not NaN or infinite, and not masked or transparent;
        without `per_band`, if it is so in every band. Pixels outside the image never are.

        Raises:
            ItemError: E301 if the file is truncated or damaged there.
            ValueError: As `read`.
        """
        wanted = window or self.info.window
        inside = self._inside(wanted, outside)
        apart = self._valid_inside(inside, self._bands(bands))
        valid: Valid = apart if per_band else np.logical_and.reduce(apart)
        if inside == wanted:
            return valid
        margins = _margins(wanted, inside)
        return np.pad(valid, ((0, 0), *margins) if per_band else margins)

    def _bands(self, bands: Sequence[int] | None) -> list[int]:
        chosen = list(range(1, self.info.count + 1)) if bands is None else list(bands)
        if not chosen or not all(1 <= band <= self.info.count for band in chosen):
            raise ValueError(f"bands {chosen} of a raster with {self.info.count}")
        return chosen

    def _inside(self, window: Window, outside: Outside) -> Window:
        inside = window.intersection(self.info.window)
        if inside is None or (outside == "refuse" and inside != window):
            raise ValueError(f"{window} leaves the raster of {self.info.height}×{self.info.width}")
        return inside

    def _read_inside(self, window: Window, bands: list[int]) -> Pixels:
        with self._calling():
            pixels: Pixels = self._dataset.read(bands, window=_bounds(window))
        return pixels

    def _valid_inside(self, window: Window, bands: list[int]) -> Valid:
        valid = np.ones((len(bands), window.height, window.width), np.bool_)
        masked = [i for i, band in enumerate(bands) if self._masked[band - 1]]
        if masked:
            with self._calling():
                masks = self._dataset.read_masks([bands[i] for i in masked], window=_bounds(window))
            valid[masked] = masks != 0
        dtype = np.dtype(self.info.dtype)
        nodata = [_as_dtype(self.info.nodata[band - 1], dtype) for band in bands]
        inexact = dtype.kind in "fc"
        marked = [i for i, value in enumerate(nodata) if inexact or value is not None]
        if marked:
            pixels = self._read_inside(window, [bands[i] for i in marked])
            for i, plane in zip(marked, pixels, strict=True):
                valid[i] &= np.isfinite(plane) if inexact else True
                valid[i] &= True if nodata[i] is None else plane != nodata[i]
        return valid

    @contextmanager
    def _calling(self) -> Iterator[None]:
        with self._turn, _reporting(self.info.path), environment():
            reach("read_window")
            yield


@contextmanager
def open_raster(path: str | Path, *, limits: Limits | None = None) -> Iterator[Raster]:
    """A raster open for reading by windows; closed when the block ends.

    The first bytes choose the driver, whatever the name says. Memory does not grow with the
    image for TIFF and JPEG 2000.

    Args:
        path: A local file.
        limits: What the file may claim; `Limits()` by default.

    Raises:
        ItemError: E301 if the file is damaged, E304–E315 as `resattn.io.sniff` says, E305 also
            for a block too large to hold.
    """
    limits = limits or Limits()
    source = local_path(path)
    header = identify(source, limits)
    with gdal_path(source) as name:
        with _reporting(source), opening():
            reach("open_raster")
            dataset = DatasetReader(name, driver=[DRIVERS[header.format]])
        try:
            with _reporting(source), opening():
                info = _describe(dataset, source, header)
            _check_opened(info, dataset.interleaving, limits)
            yield Raster(dataset, info)
        finally:
            with environment():
                dataset.close()


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    try:
        yield
    except (*GDAL_ERRORS, OSError, UnicodeDecodeError) as error:
        raise ItemError(
            f"{shown(path)} is truncated or damaged: {reason(error)}",
            "obtain the file again",
            code="E301",
        ) from error


def _describe(dataset: Any, path: Path, header: Header) -> RasterInfo:
    # First: it raises a complaint of tags() about broken EXIF data as if it were its own.
    colorinterp = tuple(one.name for one in dataset.colorinterp)
    gcps, gcps_crs = dataset.gcps
    flags = dataset.mask_flag_enums
    return RasterInfo(
        path=path,
        format=header.format,
        height=dataset.height,
        width=dataset.width,
        count=dataset.count,
        dtype=str(dataset.dtypes[0]),
        crs=dataset.crs,
        transform=dataset.transform,
        nodata=tuple(dataset.nodatavals),
        descriptions=tuple(dataset.descriptions),
        tags=dataset.tags(),
        band_tags=tuple(dataset.tags(band) for band in dataset.indexes),
        colorinterp=colorinterp,
        photometric=_photometric(dataset),
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        units=tuple(dataset.units),
        block=tuple(dataset.block_shapes[0]),
        gcps=tuple(gcps),
        gcps_crs=gcps_crs,
        rpcs=dataset.rpcs,
        has_mask=any(MaskFlags.per_dataset in one and MaskFlags.alpha not in one for one in flags),
        icc=_icc(dataset),
        pages=max(1, len(dataset.subdatasets)),
    )


def _photometric(dataset: Any) -> str | None:
    try:
        found = dataset.photometric
    except ValueError:  # rasterio knows no name for some, such as YCbCrK
        return None
    return None if found is None else str(found.name)


def _icc(dataset: Any) -> bytes | None:
    text = dataset.tags(ns="COLOR_PROFILE").get("SOURCE_ICC_PROFILE")
    return None if text is None else base64.b64decode(text)


def _check_opened(info: RasterInfo, interleaving: Any, limits: Limits) -> None:
    check_size(info.path, Header(info.format, info.height, info.width, info.count), limits)
    together = info.count if interleaving is not None and interleaving.name == "pixel" else 1
    needed = info.block[0] * info.block[1] * np.dtype(info.dtype).itemsize * together
    if needed > limits.block_bytes:
        raise ItemError(
            f"{shown(info.path)} stores blocks of {info.block[0]}×{info.block[1]} pixels, "
            f"{needed / 1e6:.0f} MB each, the limit is {limits.block_bytes / 1e6:.0f} MB",
            "rewrite it with gdal_translate -co TILED=YES, or raise RESATTN_MAX_BLOCK_BYTES",
            code="E305",
        )


def _is_masked(flags: Sequence[MaskFlags]) -> bool:
    return MaskFlags.per_dataset in flags or MaskFlags.alpha in flags


def _bounds(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (window.row, window.bottom), (window.col, window.right)


def _margins(wanted: Window, inside: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (
        (inside.row - wanted.row, wanted.bottom - inside.bottom),
        (inside.col - wanted.col, wanted.right - inside.right),
    )


def _as_dtype(value: float | None, dtype: np.dtype[Any]) -> np.generic | None:
    """The value as a pixel, or None if no pixel can have it (such as −9999 in uint8)."""
    if value is None:
        return None
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if value != int(value) or not limits.min <= value <= limits.max:
            return None
        integer: np.generic = dtype.type(int(value))
        return integer
    inexact: np.generic = dtype.type(value)
    return inexact
