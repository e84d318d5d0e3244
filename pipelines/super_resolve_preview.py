"""A picture for people: bicubic on the left, the network on the right, pixel for pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resattn.fusion.taps import Image
from resattn.io.image import write_image
from resattn.pipelines.super_resolve_pictures import (
    Photo,
    RasterPicture,
    bands_in_order,
    open_picture,
)
from resattn.pipelines.super_resolve_quality import interpolated
from resattn.tiling import Window
from resattn.upscale.levels import Levels

SIDE = 512
"""Largest side of each half, in output pixels: a preview shows pixels, not an overview."""

_GAP = 8


def side_by_side(
    source: Photo | RasterPicture, output: Path, levels: Levels, *, overwrite: bool = False
) -> Path:
    """Writes `<output>.preview.png` from the middle of the output and returns its path."""
    with open_picture(output) as after:
        size = (after.height, after.width)
        height, width = min(SIDE, size[0]), min(SIDE, size[1])
        window = Window((size[0] - height) // 2, (size[1] - width) // 2, height, width)
        bands = bands_in_order(after)
        result = levels.bands(bands).to_unit(after.read(window)[list(bands)])
    before = interpolated(source, size, levels)(window)
    shown = [0, 1, 2] if len(before) >= 3 else [0, 0, 0]
    gap = np.ones((3, height, _GAP), np.float32)
    path = output.with_name(f"{output.stem}.preview.png")
    halves = np.concatenate([_clean(before[shown]), gap, _clean(result[shown])], axis=2)
    write_image(path, np.rint(halves * 255).astype(np.uint8), overwrite=overwrite)
    return path


def _clean(image: Image) -> Image:
    return np.nan_to_num(np.clip(image, 0, 1))
