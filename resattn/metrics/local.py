"""Sums over a small window around every pixel, in an order that does not depend on the tile."""

from __future__ import annotations

import numpy as np

from resattn.metrics.pair import Array, Mask


def box_sum(image: Array, before: int, after: int) -> Array:
    """Sum over offsets −before … +after on both axes of (..., H, W), zero outside the image.

    The terms are added one by one: running sums would leave rounding that depends on where the
    array starts, and a scene cut into windows would no longer score as the whole.
    """
    for axis in (-2, -1):
        image = _slide(image, axis, before, after)
    return image


def untouched(valid: Mask, before: int, after: int) -> Mask:
    """Pixels with no invalid pixel at offsets −before … +after; the outside counts as valid."""
    holes: Mask = box_sum((~valid).astype(np.float64), before, after) == 0
    return holes


def _slide(image: Array, axis: int, before: int, after: int) -> Array:
    margins = [(0, 0)] * image.ndim
    margins[axis] = (before, after)
    padded = np.moveaxis(np.pad(image, margins), axis, 0)
    length = image.shape[axis]
    total = padded[:length].copy()
    for offset in range(1, before + after + 1):
        total += padded[offset : offset + length]
    return np.moveaxis(total, 0, axis)
