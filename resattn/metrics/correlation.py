"""D_rho: does every band show the structures of PAN?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.local import box_sum, untouched
from resattn.metrics.pair import Array, image
from resattn.metrics.running import Running

LEAST_POWER = 1e-20
"""Sum of squared details below which a window is flat and correlates with nothing."""


def d_rho(
    fused: ArrayLike, pan: ArrayLike, *, ratio: float, valid: ArrayLike | None = None
) -> float:
    """Mean over pixels and bands of 1 − local correlation with PAN; 0 is perfect, 2 the worst.

    The correlation runs over 2w × 2w pixels, w = r/2 rounded up, offsets −w+1 … w; each pixel
    enters by its difference from its own local mean; outside the image there are zeros. A flat
    window has correlation 0. A pixel counts if it and all it depends on are valid; NaN when none
    is left. Alone it rewards copying PAN into every band: read it beside R-ERGAS and R-Q2n.

    Args:
        fused: Fused image, (B, H, W).
        pan: PAN image, (H, W) or (1, H, W).
        ratio: MS pixel size over PAN pixel size.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ, values are not finite or `ratio` is not positive.

    Reference: Scarpa and Ciotola, Remote Sensing 14(8), 2022.
    """
    return _compute(_update(fused, pan, ratio, valid))


def running_d_rho() -> Running[[ArrayLike, ArrayLike, float, ArrayLike | None, Keep]]:
    """`d_rho` over windows read with `d_rho_halo` more pixels on each side, cut at the image."""
    return Running(_update, _compute)


def d_rho_halo(ratio: float) -> int:
    """PAN pixels around a window that its score depends on."""
    return 2 * _half_width(ratio)


Keep = tuple[slice, slice]
_ALL: Keep = (slice(None), slice(None))


def _update(
    fused: ArrayLike,
    pan: ArrayLike,
    ratio: float,
    valid: ArrayLike | None = None,
    keep: Keep = _ALL,
) -> Array:
    """Sum of 1 − correlation over the kept pixels, and their count; (2,)."""
    half = _half_width(ratio)
    bands, sharp = image(fused, valid, "fused"), image(pan, valid, "pan")
    if sharp.shape != (1, *bands.shape[1:]):
        raise ValueError(f"fused has shape {bands.shape}, pan {sharp.shape}")
    counted = np.ones(bands.shape[1:], dtype=np.bool_)
    if valid is not None:
        counted = np.asarray(valid, dtype=np.bool_)
        counted = counted & untouched(counted, 2 * (half - 1), 2 * half)
    counted = counted[keep]
    sharp_field = field(sharp[0], half)
    total = 0.0
    for band in bands:
        correlation = np.clip(correlate(field(band, half), sharp_field, half), -1.0, 1.0)
        total += float((1 - correlation[keep][counted]).sum())
    return np.array([total, np.count_nonzero(counted) * len(bands)])


def _compute(sums: Array) -> float:
    total, count = sums
    return float(total / count) if count else float("nan")


Field = tuple[Array, Array]
"""Each pixel less the mean of the window around it, and the window sum of its square."""


def field(band: Array, half: int) -> Field:
    """What one band (H, W) brings to a local correlation over 2·half × 2·half pixels."""
    details = band - box_sum(band, half - 1, half) / (2 * half) ** 2
    return details, box_sum(np.square(details), half - 1, half)


def correlate(first: Field, second: Field, half: int) -> Array:
    """Local correlation (H, W) of two bands from their fields."""
    product = box_sum(first[0] * second[0], half - 1, half)
    scale = np.sqrt(np.maximum(first[1], LEAST_POWER) * np.maximum(second[1], LEAST_POWER))
    return np.asarray(product / scale)


def _half_width(ratio: float) -> int:
    if ratio <= 0:
        raise ValueError(f"ratio must be positive, got {ratio}")
    return math.ceil(ratio / 2)
