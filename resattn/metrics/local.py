"""Sums over a small window around every pixel, in an order that does not depend on the tile."""

from __future__ import annotations

import numpy as np

from resattn.metrics.pair import Array, Mask


def box_sum(image: Array, before: int, after: int) -> Array:
    """Sum over offsets −before … +after on both axes of (..., H, W), zero outside the image.

    Windows double (2, 4, 8, …) until the wanted one is put together: a fixed order of additions.
    Running sums would leave rounding that depends on where the array starts, and a scene cut into
    windows would no longer score as the whole.
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
    length = image.shape[axis]
    window = np.moveaxis(np.pad(image, margins), axis, 0)
    total = np.zeros((length, *window.shape[1:]))
    left, size, start = before + after + 1, 1, 0
    while left:
        if left & size:
            total += window[start : start + length]
            start += size
            left -= size
        if left:
            window = window[:-size] + window[size:]
            size *= 2
    return np.moveaxis(total, 0, axis)
