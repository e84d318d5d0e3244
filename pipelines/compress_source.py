"""An opened picture as the codec sees it: header, scale and everything that travels beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from resattn.codec import container
from resattn.codec.describe import pack_profile
from resattn.codec.header import TILE_BYTES, TILE_STEP, TYPES, Head
from resattn.codec.maker import Maker
from resattn.codec.network import Network
from resattn.codec.samples import Scale
from resattn.errors import ItemError, UserError
from resattn.hashing import json_sha256
from resattn.io.metadata import Metadata
from resattn.io.profile import RasterProfile
from resattn.pipelines.compress_config import CompressConfig
from resattn.pipelines.levels import levels_of, spread
from resattn.pipelines.pictures import Photo, RasterPicture
from resattn.tiling import Window
from resattn.upscale.levels import Levels
from resattn.version import __version__

_WHOLE_PIXELS = 2**22
"""Images up to this size are one tile: no seams, and nothing is lost at borders."""

_SIDE = 1024
_EASY_BYTES = 2**26
"""Tiles are chosen below this, a quarter of what the format allows."""

_NAME_BYTES = 64


@dataclass(frozen=True, slots=True)
class Prepared:
    """All of a file but its units.

    Attributes:
        head: What is coded.
        scale: Of all bands.
        chunks: Metadata by tag.
        is_clipped: Whether samples may lie beyond the scale.
    """

    head: Head
    scale: Scale
    chunks: dict[bytes, bytes]
    is_clipped: bool


def prepare(
    picture: Photo | RasterPicture, config: CompressConfig, network: Network | None
) -> Prepared:
    """What will be written of a picture, without its pixels.

    Raises:
        ItemError: E310 if samples of that type cannot be coded.
        UserError: E208 if the tiles would be too large.
    """
    if picture.dtype not in TYPES:
        raise ItemError(
            f"samples of type {picture.dtype} cannot be compressed",
            f"convert them to one of {', '.join(TYPES)}",
            code="E310",
        )
    head = Head(
        height=picture.height,
        width=picture.width,
        tile=config.tile or _tile(picture),
        bands=picture.count,
        dtype=picture.dtype,
        alpha=picture.alpha,
        has_mask=_needs_mask(picture, lossless=network is None),
        weights=bytes(8) if network is None else network.key,
        name="" if network is None else network.name.split("/")[-1][:_NAME_BYTES],
    )
    if head.tile_bytes > TILE_BYTES:
        raise UserError(
            f"--tile {head.tile}: tiles of {head.tile_bytes / 1e6:.0f} MB, "
            f"the limit is {TILE_BYTES / 1e6:.0f} MB",
            "give a smaller one, or leave it out",
            code="E208",
        )
    levels = _levels(picture, config.range) if network else _plain(picture)
    scale = Scale(levels, _fills(picture))
    plain = Scale.of_type(picture.dtype, picture.count)
    chunks = {} if scale.pack() == plain.pack() else {container.BANDS: scale.pack()}
    maker = Maker.of(__version__, json_sha256(config.result_options()))
    chunks |= {**_metadata(picture), container.MADE: maker.pack()}
    return Prepared(head, scale, chunks, levels != plain.levels)


def _tile(picture: Photo | RasterPicture) -> int:
    """The whole image up to `_WHOLE_PIXELS`, else squares of `_SIDE` or less."""
    pixel_bytes = picture.count * np.dtype(picture.dtype).itemsize
    rows, columns = (math.ceil(n / TILE_STEP) for n in (picture.height, picture.width))
    pixels = rows * columns * TILE_STEP**2  # what the network sees: a line is 64 lines to it
    if pixels <= _WHOLE_PIXELS and pixels * pixel_bytes <= _EASY_BYTES:
        return max(rows, columns) * TILE_STEP
    fits = math.isqrt(_EASY_BYTES // pixel_bytes) // TILE_STEP * TILE_STEP
    return max(TILE_STEP, min(_SIDE, fits))


def _needs_mask(picture: Photo | RasterPicture, *, lossless: bool) -> bool:
    if isinstance(picture, Photo):
        return False
    if lossless:  # nodata and NaN speak for themselves
        return picture.info.has_mask and picture.alpha is None
    return picture.present(Window(0, 0, 1, 1)) is not None


def _plain(picture: Photo | RasterPicture) -> Levels:
    return Levels.of_type(picture.dtype, picture.count)


def _levels(picture: Photo | RasterPicture, text: str) -> Levels:
    """Black and white; where they are measured, wide enough for what was seen.

    The percentiles of `levels_of` leave the brightest pixels out, which a picture to look at can
    do without and an archive cannot: they are widened to the extremes seen, by up to their own
    distance on either side. A lone wild pixel still cannot spend the precision of all others.
    """
    levels = levels_of(picture, text)
    if text not in ("auto", "measured") or levels == _plain(picture):
        return levels
    low = np.full(picture.count, np.inf)
    high = -low
    for window in spread(picture.height, picture.width):
        pixels, valid = picture.read(window), picture.valid(window)
        for band, plane in enumerate(pixels):
            seen = plane if valid is None else plane[valid[band]]
            if seen.size:
                low[band] = min(low[band], float(seen.min()))
                high[band] = max(high[band], float(seen.max()))
    shared = list(picture.colours)
    if shared:
        low[shared], high[shared] = low[shared].min(), high[shared].max()
    black, white = np.array(levels.black), np.array(levels.white)
    span = white - black
    return Levels(
        tuple(np.minimum(black, np.maximum(low, black - span)).tolist()),
        tuple(np.maximum(white, np.minimum(high, white + span)).tolist()),
    )


def _fills(picture: Photo | RasterPicture) -> tuple[float, ...]:
    """What a missing pixel of each band is; values the type cannot hold mark nothing."""
    if isinstance(picture, Photo):
        return (math.nan,) * picture.count
    return tuple(_fill(value, np.dtype(picture.dtype)) for value in picture.info.nodata)


def _fill(value: float | None, dtype: np.dtype[Any]) -> float:
    if value is None:
        return math.nan
    if dtype.kind in "iu" and (
        value % 1 or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    ):
        return math.nan
    return float(value)


def _metadata(picture: Photo | RasterPicture) -> dict[bytes, bytes]:
    if isinstance(picture, RasterPicture):
        return {container.GEO: pack_profile(RasterProfile.of(picture.info))}
    blocks = _upright(picture)
    named = (
        (container.ICC, blocks.icc),
        (container.EXIF, blocks.exif),
        (container.XMP, blocks.xmp),
    )
    return {tag: block for tag, block in named if block is not None}


def _upright(photo: Photo) -> Metadata:
    """The blocks as they are, unless their orientation is no longer true."""
    blocks = photo.info.metadata
    if photo.info.orientation == 1:
        return blocks
    return blocks.for_turned_pixels(keep_location=True)
