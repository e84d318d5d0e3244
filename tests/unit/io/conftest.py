"""Small rasters made with rasterio alone, so that the readers under test have no part in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

MakeRaster = Callable[..., Path]


@pytest.fixture
def make_raster(tmp_path: Path) -> MakeRaster:
    """Write `pixels` (B, h, w) to a GeoTIFF and return its path."""

    def make(
        pixels: np.ndarray, name: str = "scene.tif", mask: np.ndarray | None = None, **profile: Any
    ) -> Path:
        path = tmp_path / name
        settings = {
            "driver": "GTiff",
            "count": pixels.shape[0],
            "height": pixels.shape[1],
            "width": pixels.shape[2],
            "dtype": str(pixels.dtype),
            **profile,
        }
        with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", **settings) as dataset:
                dataset.write(pixels)
                if mask is not None:
                    dataset.write_mask(mask)
        return path

    return make
