"""Plausible values where there are none, so that a hole never colours its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Valid = NDArray[np.bool_]


def filled(pixels: Image, valid: Valid, reach: int, *, rest: float) -> Image:
    """`pixels` (B, H, W) with invalid ones continued from the valid ones around them.

    Each of `reach` rounds gives the invalid pixels that touch known ones the mean of those, so a
    value depends on nothing farther away than `reach`: a tile read with that halo is filled like
    the whole image.

    Args:
        pixels: Any values under invalid pixels, NaN included.
        valid: (B, H, W), True where a pixel is real.
        reach: Distance in pixels up to which values are continued.
        rest: The value of invalid pixels farther away than that.
    """
    known = valid.copy()
    values = np.where(known, pixels, np.float32(0))
    for _ in range(reach):
        count = _sum3(known.astype(np.float32))
        fresh = ~known & (count > 0)
        if not fresh.any():
            break
        mean = _sum3(values) / np.maximum(count, 1)
        values = np.where(fresh, mean, values)
        known |= fresh
    return np.where(known, values, np.float32(rest))


def _sum3(image: Image) -> Image:
    """Sum over 3 × 3 pixels, with nothing beyond the border."""
    rows = np.pad(image, ((0, 0), (1, 1), (0, 0)))
    tall = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    cols = np.pad(tall, ((0, 0), (0, 0), (1, 1)))
    result: Image = cols[..., :-2] + cols[..., 1:-1] + cols[..., 2:]
    return result
