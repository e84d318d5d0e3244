"""What a raster says beside its pixels, as the JSON of the GEOK chunk and back."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from affine import Affine

from resattn.codec.damage import DamageError
from resattn.codec.header import Head
from resattn.io.profile import (
    CRS,
    RPC,
    GroundControlPoint,
    RasterioError,
    RasterProfile,
    kept_tags,
)
from resattn.tiling import Window

_LARGEST = 2**24
_WRONG = (
    zlib.error, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_LISTS = ("descriptions", "band_tags", "colorinterp", "scales", "offsets", "units")

# A file from a stranger has sound checksums and anything in them: every value is taken as the type
# it must have, or the file is damaged.


def pack_profile(profile: RasterProfile) -> bytes:
    """The GEOK chunk of a raster."""
    document: dict[str, Any] = {name: list(getattr(profile, name)) for name in _LISTS}
    document["band_tags"] = [dict(tags) for tags in profile.band_tags]
    document |= {
        "crs": _wkt(profile.crs),
        "transform": list(profile.transform)[:6],
        "nodata": None if profile.nodata is None else repr(float(profile.nodata)),
        "tags": dict(profile.tags),
        "gcps": [[p.row, p.col, p.x, p.y, p.z, p.id, p.info] for p in profile.gcps],
        "gcps_crs": _wkt(profile.gcps_crs),
        "rpcs": None if profile.rpcs is None else profile.rpcs.to_gdal(),
        "icc": None if profile.icc is None else base64.b64encode(profile.icc).decode("ascii"),
        "has_mask": profile.has_mask,
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)


def unpack_profile(data: bytes, head: Head, window: Window) -> RasterProfile:
    """The profile of a GEOK chunk for the pixels of `window`.

    Raises:
        DamageError: If the chunk describes no such raster.
    """
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(data, _LARGEST)
        if not inflater.eof:
            raise DamageError("the description of the raster does not end")
        whole = _profile(json.loads(text), head)
    except _WRONG as error:
        raise DamageError(f"the description of the raster: {error!r}") from error
    except RasterioError as error:
        raise DamageError(f"the coordinate system of the raster: {error}") from error
    return _cropped(whole, window)


def _profile(document: Mapping[str, Any], head: Head) -> RasterProfile:
    nodata, rpcs, icc = (document[name] for name in ("nodata", "rpcs", "icc"))
    return RasterProfile(
        height=head.height,
        width=head.width,
        count=head.bands,
        dtype=head.dtype,
        crs=_crs(document["crs"]),
        transform=Affine(*map(float, document["transform"])),
        nodata=None if nodata is None else float(nodata),
        descriptions=tuple(map(_text_or_none, document["descriptions"])),
        tags=_texts(document["tags"]),
        band_tags=tuple(map(_texts, document["band_tags"])),
        colorinterp=tuple(map(_text, document["colorinterp"])),
        scales=tuple(map(float, document["scales"])),
        offsets=tuple(map(float, document["offsets"])),
        units=tuple(map(_text_or_none, document["units"])),
        gcps=tuple(map(_point, document["gcps"])),
        gcps_crs=_crs(document["gcps_crs"]),
        rpcs=None if rpcs is None else RPC.from_gdal(_texts(rpcs)),
        icc=None if icc is None else base64.b64decode(icc),
        has_mask=bool(document["has_mask"]),
    )


def _point(values: Sequence[Any]) -> GroundControlPoint:
    *place, name, info = values
    row, col, x, y, z = map(float, place)
    return GroundControlPoint(row, col, x, y, z, _text(name), _text(info))


def _texts(value: Mapping[Any, Any]) -> dict[str, str]:
    return kept_tags({_text(name): _text(text) for name, text in value.items()})


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    """The value, if it is a text that can be written to a file."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode()  # raises if half of a surrogate pair is in it
    return value


def _cropped(profile: RasterProfile, window: Window) -> RasterProfile:
    row, col = window.row, window.col
    rpcs = profile.rpcs
    if rpcs is not None:
        rpcs.line_off -= row
        rpcs.samp_off -= col
    old = profile.transform
    placed = profile.crs is not None or old != Affine.identity()
    x, y = old.a * col + old.b * row + old.c, old.d * col + old.e * row + old.f
    return replace(
        profile,
        height=window.height,
        width=window.width,
        transform=Affine(old.a, old.b, x, old.d, old.e, y) if placed else old,
        gcps=tuple(
            GroundControlPoint(p.row - row, p.col - col, p.x, p.y, p.z, p.id, p.info)
            for p in profile.gcps
        ),
        rpcs=rpcs,
    )


def _wkt(crs: CRS | None) -> str | None:
    return None if crs is None else str(crs.to_wkt(version="WKT2_2019"))


def _crs(wkt: str | None) -> CRS | None:
    return None if wkt is None else CRS.from_wkt(wkt)
