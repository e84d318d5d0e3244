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
    window = np.pad(image, margins)
    total: Array | None = None
    left, size, start = before + after + 1, 1, 0
    while left:
        if left & size:
            part = _part(window, axis, start, start + length)
            total = part if total is None else total + part
            start += size
            left -= size
        if left:
            stop = window.shape[axis]
            window = _part(window, axis, 0, stop - size) + _part(window, axis, size, stop)
            size *= 2
    return image if total is None else total


def _part(image: Array, axis: int, start: int, stop: int) -> Array:
    """Indices `start` to `stop` of the last axis (−1) or the one before (−2)."""
    return image[..., start:stop] if axis == -1 else image[..., start:stop, :]
