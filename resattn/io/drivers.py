"""What the image libraries that are installed can do, for `resattn doctor`."""

from __future__ import annotations

import rasterio
from rasterio.drivers import raster_driver_extensions

from resattn.io.gdal import DRIVERS, environment


def gdal_version() -> str:
    """The release of GDAL inside rasterio."""
    return str(rasterio.__gdal_version__)


def missing_drivers() -> list[str]:
    """The drivers that formats we read or write need and this GDAL lacks."""
    with environment() as _, rasterio.Env() as env:
        present = set(env.drivers())
    return sorted({*DRIVERS.values(), "COG"} - present - set(raster_driver_extensions().values()))
