"""Synthetic scenes with a known truth, written as GeoTIFFs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

CRS = "EPSG:32632"


@dataclass(frozen=True)
class Scene:
    pan: Path
    ms: Path
    truth: np.ndarray  # (B, H, W) float64


def truth_image(bands: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Fields, roads and texture whose bands differ, 100 to about 1500."""
    rng = np.random.default_rng(seed)
    fields = ndimage.zoom(rng.random((bands, 6, 6)), (1, height / 6, width / 6), order=0)
    fields = fields[:, :height, :width]
    texture = ndimage.gaussian_filter(rng.standard_normal((height, width)), 1.0)
    rows, cols = np.mgrid[:height, :width]
    roads = ((rows + 2 * cols) % 37 < 2) | ((3 * rows - cols) % 53 < 2)
    base = 300 + 900 * fields + 120 * texture
    return np.clip(np.where(roads, 1300.0, base), 100, 1500)


def write(
    path: Path, image: np.ndarray, pixel: float, dtype: str = "uint16", **profile: object
) -> Path:
    """A GeoTIFF of (B, H, W) whose upper left corner is the same for every pixel size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"crs": CRS, "transform": from_origin(500000, 5200000, pixel, pixel)} | profile
    bands, height, width = image.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=bands, dtype=dtype, **options
    ) as target:
        target.write(image.astype(dtype))
        for band in range(1, bands + 1):
            target.set_band_description(band, f"band {band}")
    return path


def make_scene(
    folder: Path,
    *,
    bands: int = 4,
    side: int = 128,
    ratio: int = 4,
    dtype: str = "uint16",
    seed: int = 0,
    nodata: float | None = None,
    hole: bool = False,
) -> Scene:
    """`pan.tif` and `ms.tif` of one scene; `hole` puts nodata into a corner of MS."""
    truth = truth_image(bands, side, side, seed)
    if dtype == "uint8":
        truth = truth / 6
    pan = truth.mean(axis=0, keepdims=True)
    soft = ndimage.gaussian_filter(truth, (0, 0.5 * ratio, 0.5 * ratio))
    ms = soft.reshape(bands, side // ratio, ratio, side // ratio, ratio).mean(axis=(2, 4))
    if hole:
        ms[:, : side // ratio // 4, : side // ratio // 4] = nodata
    return Scene(
        write(folder / "pan.tif", pan, 1.0, dtype),
        write(folder / "ms.tif", ms, float(ratio), dtype, nodata=nodata),
        truth,
    )
