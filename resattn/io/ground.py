"""Where the pixels of a raster lie on the ground, and how long a pixel is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import warp
from rasterio.crs import CRS
from rasterio.errors import CRSError

from resattn.errors import ItemError
from resattn.io.gdal import GDAL_ERRORS, environment, reason
from resattn.io.raster import RasterInfo

__all__ = ["CRS", "WGS84", "Ground", "Points", "crs_named", "project"]

Points = NDArray[np.float64]
WGS84 = CRS.from_epsg(4326)

_AXIS_M = 6378137.0  # of WGS84, with its squared eccentricity
_ECCENTRICITY_2 = 6.69437999014e-3


@dataclass(frozen=True, slots=True)
class Ground:
    """The grid of a raster: its CRS and the transform from (column, row) of pixel corners."""

    crs: CRS
    transform: Affine

    @classmethod
    def of(cls, info: RasterInfo) -> Ground | None:
        """The ground of a raster that says where it lies by a CRS and a transform."""
        if info.crs is None or info.transform == Affine.identity():
            return None
        return cls(info.crs, info.transform)

    def places(self, pixels: Points) -> Points:
        """Coordinates (n, 2) in the raster's CRS, east or longitude first, of points (x, y)."""
        t = self.transform
        x, y = pixels.T
        return np.stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f], axis=1)

    def pixels(self, places: Points, crs: CRS | None = None) -> Points:
        """Points (n, 2) of the raster as (x, y) for coordinates in `crs`, or in its own.

        Raises:
            ItemError: E311 if the coordinates cannot be brought into the raster's CRS.
        """
        if crs is not None and crs != self.crs:
            places = project(places, crs, self.crs)
        inverse = ~self.transform
        x, y = places.T
        return np.stack(
            [
                inverse.a * x + inverse.b * y + inverse.c,
                inverse.d * x + inverse.e * y + inverse.f,
            ],
            axis=1,
        )

    def lonlat(self, pixels: Points) -> Points:
        """WGS84 longitude and latitude (n, 2) in degrees of points (x, y).

        Raises:
            ItemError: E311 if the CRS has no way to WGS84.
        """
        return project(self.places(pixels), self.crs, WGS84)

    def sizes_m(self, boxes: Points) -> Points:
        """Width and height (n, 2) in metres of boxes (n, 4) of pixels, measured on the ground.

        Each is the distance on the ellipsoid between the middles of opposite edges, so that the
        stretch of a projection (a factor of 1/cos φ in Web Mercator) does not enter.

        Raises:
            ItemError: E311 if the CRS has no way to WGS84.
        """
        if not len(boxes):
            return np.zeros((0, 2))
        left, top, right, bottom = boxes.T
        x, y = (left + right) / 2, (top + bottom) / 2
        ends = [(left, y), (right, y), (x, top), (x, bottom)]
        points = np.radians([self.lonlat(np.stack(end, axis=1)) for end in ends])
        return np.stack([_distance(points[0], points[1]), _distance(points[2], points[3])], axis=1)


def crs_named(name: str, where: str) -> CRS:
    """The CRS of a name such as ``EPSG:32631`` or ``urn:ogc:def:crs:OGC:1.3:CRS84``.

    Raises:
        ItemError: E311, for `where`, if there is none.
    """
    if "CRS84" in name:
        return WGS84
    try:
        with environment():
            return CRS.from_user_input(name)
    except (CRSError, ValueError) as error:  # rasterio reads the number behind "EPSG:" itself
        raise ItemError(
            f"{where} is {name[:60]!r}, no CRS that is known", "mend it", code="E311"
        ) from error


def project(places: Points, source: CRS, target: CRS) -> Points:
    """Coordinates (n, 2) of one CRS in another, east or longitude first.

    Raises:
        ItemError: E311 if there is no way between them, or a point has no image.
    """
    if not len(places):
        return np.zeros((0, 2))
    try:
        with environment():
            xs, ys = warp.transform(source, target, *places.T.tolist())
    except (*GDAL_ERRORS, CRSError) as error:
        raise ItemError(
            f"no way from {source.to_string()[:60]} to {target.to_string()[:60]}: {reason(error)}",
            "warp the raster to a known CRS",
            code="E311",
        ) from error
    moved = np.stack([xs, ys], axis=1)
    if not np.isfinite(moved).all():
        raise ItemError(
            f"coordinates outside the reach of {target.to_string()[:60]}",
            "check the georeference",
            code="E311",
        )
    return moved


def _distance(first: Points, second: Points) -> NDArray[np.float64]:
    """Metres between points (n, 2) of longitude and latitude in radians, near to each other.

    By the radii of curvature of the ellipsoid along the parallel and along the meridian, which is
    exact to 1e-5 up to tens of kilometres.
    """
    d_lon, d_lat = (second - first).T
    d_lon = (d_lon + np.pi) % (2 * np.pi) - np.pi
    middle = (first[:, 1] + second[:, 1]) / 2
    flat = 1 - _ECCENTRICITY_2 * np.sin(middle) ** 2
    across = _AXIS_M / np.sqrt(flat)
    along = across * (1 - _ECCENTRICITY_2) / flat
    metres: NDArray[np.float64] = np.hypot(across * np.cos(middle) * d_lon, along * d_lat)
    return metres
