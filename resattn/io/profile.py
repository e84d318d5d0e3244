"""What an output raster is to be: its grid, its type and everything that describes it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint as GroundControlPoint
from rasterio.crs import CRS as CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError as RasterioError
from rasterio.rpc import RPC as RPC

from resattn.io.raster import RasterInfo

Compression = Literal["none", "lzw", "deflate", "zstd"]

_CREATION: dict[Compression, dict[str, str]] = {
    "none": {},
    "lzw": {"COMPRESS": "LZW"},
    "deflate": {"COMPRESS": "DEFLATE", "ZLEVEL": "6"},
    # Level 1 writes five times faster than deflate 6 and is no larger on uint16 imagery.
    "zstd": {"COMPRESS": "ZSTD", "ZSTD_LEVEL": "1"},
}

_PIXEL_INTERLEAVED_BYTES = 16 * 2**20
_BLOCK_STEP = 16  # TIFF tiles have sides that are multiples of 16

# Statistics would no longer be true, and where a photo was taken is private.
_DROPPED_TAGS = ("STATISTICS_", "EXIF_GPS", "GPS")

# rasterio sets tags by keyword and takes these two for its own arguments.
_TAKEN_TAGS = ("bidx", "ns")


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterProfile:
    """A raster to be written; tuples are empty or have one entry per band.

    Start from an input with `RasterProfile.of(info)` and change fields with
    `dataclasses.replace`.

    Args:
        nodata: The value that marks missing pixels; a GeoTIFF has one for all bands.
        has_mask: Store which pixels are real as a mask inside the file.
        compress: Lossless compression; "zstd" is fast, "deflate" is read by every program.
        block: Side of a tile, a multiple of 16; smaller images get one tile.

    Raises:
        ValueError: If a tuple has another length than `count`, a side is not positive, or
            `nodata` is no value of `dtype`.
    """

    height: int
    width: int
    count: int
    dtype: str
    crs: CRS | None = None
    transform: Affine = field(default_factory=Affine.identity)
    nodata: float | None = None
    descriptions: tuple[str | None, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    band_tags: tuple[Mapping[str, str], ...] = ()
    colorinterp: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    units: tuple[str | None, ...] = ()
    gcps: tuple[GroundControlPoint, ...] = ()
    gcps_crs: CRS | None = None
    rpcs: RPC | None = None
    icc: bytes | None = None
    has_mask: bool = False
    compress: Compression = "zstd"
    block: int = 512

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.count, self.block) < 1 or self.block % _BLOCK_STEP:
            raise ValueError(
                f"a raster of {self.height}×{self.width} pixels, {self.count} bands and blocks of "
                f"{self.block} cannot be written"
            )
        for name in ("descriptions", "band_tags", "colorinterp", "scales", "offsets", "units"):
            if len(getattr(self, name)) not in (0, self.count):
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, not {self.count}")
        if unknown := set(self.colorinterp) - ColorInterp.__members__.keys():
            raise ValueError(f"colorinterp {', '.join(sorted(unknown))} is not known")
        dtype = np.dtype(self.dtype)
        if self.nodata is not None and np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            if self.nodata % 1 or not limits.min <= self.nodata <= limits.max:
                raise ValueError(f"nodata {self.nodata} is no value of {self.dtype}")

    @classmethod
    def of(cls, info: RasterInfo) -> Self:
        """The profile that repeats an input: same grid, type, nodata, names and tags."""
        palette = {"palette": "gray"}
        return cls(
            height=info.height,
            width=info.width,
            count=info.count,
            dtype=info.dtype,
            crs=info.crs,
            transform=info.transform,
            nodata=_representable(info.nodata, info.dtype),
            descriptions=info.descriptions,
            tags=kept_tags(info.tags),
            band_tags=tuple(kept_tags(tags) for tags in info.band_tags),
            colorinterp=tuple(palette.get(name, name) for name in info.colorinterp),
            scales=info.scales,
            offsets=info.offsets,
            units=info.units,
            gcps=info.gcps,
            gcps_crs=info.gcps_crs,
            rpcs=info.rpcs,
            icc=info.icc,
            has_mask=info.has_mask,
        )

    @property
    def tile(self) -> int:
        """Side of the stored tiles: `block`, or less for an image smaller than that."""
        longest = max(self.height, self.width)
        return min(self.block, -(-longest // _BLOCK_STEP) * _BLOCK_STEP)

    def creation_options(self) -> dict[str, Any]:
        """Arguments of `rasterio.open` that create the file."""
        dtype = np.dtype(self.dtype)
        tile_bytes = self.tile**2 * self.count * dtype.itemsize
        options: dict[str, Any] = {
            "driver": "GTiff",
            "height": self.height,
            "width": self.width,
            "count": self.count,
            "dtype": self.dtype,
            "nodata": self.nodata,
            "tiled": True,
            "blockxsize": self.tile,
            "blockysize": self.tile,
            "interleave": "pixel" if tile_bytes <= _PIXEL_INTERLEAVED_BYTES else "band",
            "photometric": "RGB" if self._is_colour() else "MINISBLACK",
            "BIGTIFF": "IF_SAFER",
            **_CREATION[self.compress],
        }
        if self.compress != "none" and dtype.kind in "iuf":
            options["PREDICTOR"] = 3 if dtype.kind == "f" else 2
        if self.icc is not None:
            options["SOURCE_ICC_PROFILE"] = base64.b64encode(self.icc).decode("ascii")
        if self.gcps:
            # rasterio wants a CRS, an empty one for points without
            return options | {"gcps": list(self.gcps), "crs": self.gcps_crs or CRS()}
        return options | {"transform": self.transform, "crs": self.crs}

    def _is_colour(self) -> bool:
        return self.colorinterp[:3] == ("red", "green", "blue")


def kept_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that hold for another file too, and that rasterio can write."""
    return {
        key: text
        for key, text in tags.items()
        if not key.startswith(_DROPPED_TAGS) and key not in _TAKEN_TAGS
    }


def _representable(values: tuple[float | None, ...], dtype: str) -> float | None:
    kind = np.dtype(dtype)
    for value in values:
        if value is None:
            continue
        if not np.issubdtype(kind, np.integer):
            return value
        if value % 1 == 0 and np.iinfo(kind).min <= value <= np.iinfo(kind).max:
            return value
    return None
