"""A picture for people: bicubic on the left, the network on the right, pixel for pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.taps import Image
from resattn.io.image import write_image
from resattn.pipelines.pictures import (
    Photo,
    RasterPicture,
    bands_in_order,
)
from resattn.pipelines.provenance import stamped
from resattn.pipelines.super_resolve_outputs import Target
from resattn.pipelines.super_resolve_quality import interpolated
from resattn.tiling import Window
from resattn.upscale.levels import Levels

Pixels = NDArray[np.generic]

SIDE = 512
"""Largest side of each half, in output pixels: a preview shows pixels, not an overview."""

_GAP = 8


class Glimpse:
    """The middle of an output, kept while its windows pass by.

    Args:
        height: Rows of the output.
        width: Columns of the output.
    """

    def __init__(self, height: int, width: int) -> None:
        tall, wide = min(SIDE, height), min(SIDE, width)
        self.size = (height, width)
        self.window = Window((height - tall) // 2, (width - wide) // 2, tall, wide)
        self.pixels: Pixels | None = None

    def take(self, window: Window, pixels: Pixels) -> None:
        """Keeps what a window (B, h, w) has in common with the middle."""
        part = window.intersection(self.window)
        if part is None:
            return
        if self.pixels is None:
            shape = (len(pixels), self.window.height, self.window.width)
            self.pixels = np.empty(shape, pixels.dtype)
        kept = part.relative_to(self.window).slices
        seen = part.relative_to(window).slices
        self.pixels[(slice(None), *kept)] = pixels[(slice(None), *seen)]


def preview_path(output: Path) -> Path:
    """Where the preview of an output goes."""
    return output.with_name(f"{output.stem}.preview.png")


def side_by_side(
    source: Photo | RasterPicture, glimpse: Glimpse, levels: Levels, target: Target
) -> Path:
    """Writes the enlarged source and the glimpse, in the same tones; returns where."""
    if glimpse.pixels is None:
        raise ValueError("no window of the output has passed by")
    bands = bands_in_order(source)
    result = levels.bands(bands).to_unit(glimpse.pixels[list(bands)])
    before = interpolated(source, glimpse.size, levels)(glimpse.window)
    shown = [0, 1, 2] if len(before) >= 3 else [0, 0, 0]
    gap = np.ones((3, glimpse.window.height, _GAP), np.float32)
    halves = np.concatenate([_clean(before[shown]), gap, _clean(result[shown])], axis=2)
    path = preview_path(target.path)
    pixels = np.rint(halves * 255).astype(np.uint8)
    metadata = stamped(None, target.tags)
    write_image(path, pixels, metadata=metadata, overwrite=target.overwrite)
    return path


def _clean(image: Image) -> Image:
    return np.nan_to_num(np.clip(image, 0, 1))
