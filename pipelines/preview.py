"""A picture for people: what went in on the left, what came out on the right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.pyramid import Optics, Pyramid
from resattn.fusion.scene import Scene
from resattn.io.image import write_image
from resattn.io.raster import RasterInfo, open_raster
from resattn.io.sniff import Limits
from resattn.pipelines.provenance import stamped
from resattn.tiling import Window

SIDE = 512
"""Largest side of each half, in PAN pixels: a preview shows pixels, not an overview."""

_CLIP = (1.0, 99.0)
"""Percentiles that become black and white."""


def path_of(output: Path) -> Path:
    """Where the preview of an output goes."""
    return output.with_suffix(".preview.png")


def before_after(scene: Scene, output: Path, overwrite: bool, limits: Limits) -> Path:
    """Writes `<output>.preview.png`: enlarged MS beside the result, same stretch, true scale."""
    with open_raster(output, limits=limits) as raster:
        window = _centre(raster.info)
        bands = _colour_bands(raster.info)
        after = raster.read(window, bands).astype(np.float32)
        valid = raster.valid(window, bands)
        made = {k: v for k, v in raster.info.tags.items() if k.startswith("RESATTN_")}
    enlarged, _ = Pyramid(scene, Optics.of((0.3,) * scene.bands)).enlarged(window)
    before = enlarged[[band - 1 for band in bands]]
    low, high = _limits(after, valid)
    gap = np.full((3, window.height, 8), 255, np.uint8)
    halves = [_to_uint8(image, low, high) for image in (before, after)]
    path = path_of(output)
    pixels = np.concatenate([halves[0], gap, halves[1]], axis=2)
    write_image(path, pixels, metadata=stamped(None, made), overwrite=overwrite)
    return path


def _centre(info: RasterInfo) -> Window:
    height, width = min(SIDE, info.height), min(SIDE, info.width)
    return Window((info.height - height) // 2, (info.width - width) // 2, height, width)


def _colour_bands(info: RasterInfo) -> list[int]:
    """Bands for red, green and blue: as the file says, else by the usual order of MS products."""
    named = [
        list(info.colorinterp).index(c) + 1
        for c in ("red", "green", "blue")
        if c in info.colorinterp
    ]
    if len(named) == 3:
        return named
    if info.count < 3:
        return [1, 1, 1]
    # Blue comes first in Landsat, QuickBird, IKONOS; eight-band WorldView has coastal before it.
    return [5, 3, 2] if info.count == 8 else [3, 2, 1]


def _limits(
    image: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Black and white (3, 1, 1) of each band; white is the higher, in a flat band too."""
    if not valid.any():
        return np.zeros((3, 1, 1)), np.ones((3, 1, 1))
    low, high = np.percentile(image[:, valid].astype(np.float64), _CLIP, axis=1)
    high = np.where(high > low, high, low + np.maximum(1, np.abs(low)))
    return low[:, None, None], high[:, None, None]


def _to_uint8(
    image: NDArray[np.float32], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.uint8]:
    # Clipped first: nodata of -1e38 divided by the range of a picture has no number.
    scaled = np.nan_to_num((np.clip(image, low, high) - low) / (high - low))
    pixels: NDArray[np.uint8] = np.rint(255 * scaled).astype(np.uint8)
    return pixels
