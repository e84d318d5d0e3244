"""What a raster says beside its pixels, as the JSON of the GEOK chunk and back."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from affine import Affine

from resattn.codec.damage import DamageError
from resattn.codec.header import Head
from resattn.io.profile import CRS, RPC, GroundControlPoint, RasterioError, RasterProfile
from resattn.tiling import Window

_LARGEST = 2**24
_LISTS = ("descriptions", "band_tags", "colorinterp", "scales", "offsets", "units")


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
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamageError(f"the description of the raster: {error!r}") from error
    except RasterioError as error:
        raise DamageError(f"the coordinate system of the raster: {error}") from error
    return _cropped(whole, window)


def _profile(document: Mapping[str, Any], head: Head) -> RasterProfile:
    nodata, rpcs, icc = (document[name] for name in ("nodata", "rpcs", "icc"))
    described = RasterProfile(
        height=head.height,
        width=head.width,
        count=head.bands,
        dtype=head.dtype,
        crs=_crs(document["crs"]),
        transform=Affine(*document["transform"]),
        nodata=None if nodata is None else float(nodata),
        tags=dict(document["tags"]),
        gcps=tuple(GroundControlPoint(*point) for point in document["gcps"]),
        gcps_crs=_crs(document["gcps_crs"]),
        rpcs=None if rpcs is None else RPC.from_gdal(rpcs),
        icc=None if icc is None else base64.b64decode(icc),
        has_mask=bool(document["has_mask"]),
    )
    lists: dict[str, Any] = {name: tuple(document[name]) for name in _LISTS}
    return replace(described, **lists)


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
