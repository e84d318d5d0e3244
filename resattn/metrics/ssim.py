"""SSIM: local brightness, contrast and structure, band by band."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.local import box_sum, untouched
from resattn.metrics.pair import Array, pair

_HALF = 3  # 7×7 window
_K1, _K2 = 0.01, 0.03


def ssim(
    estimate: ArrayLike, reference: ArrayLike, *, peak: float, valid: ArrayLike | None = None
) -> float:
    """Structural similarity, mean over pixels and bands; 1 is perfect.

    Uniform 7×7 window and unbiased variances, as scikit-image's default; the 3 pixels at the
    image border and pixels with an invalid pixel in their window do not count. NaN when none is
    left.

    Args:
        estimate: Image to judge, (B, H, W).
        reference: True image, same shape.
        peak: Range of the data: 2^bits − 1 (255, 2047, …), 1 for fractions.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ, values are not finite or `peak` is not positive.

    Example:
        >>> image = np.arange(64.0).reshape(1, 8, 8)
        >>> ssim(image, image, peak=255)
        1.0

    Reference: Wang et al., IEEE TIP 13(4), 2004, eq. 13.
    """
    return _compute(_update(estimate, reference, peak, valid))


def _update(
    estimate: ArrayLike, reference: ArrayLike, peak: float, valid: ArrayLike | None
) -> Array:
    """Sum of the local similarities and their count; (2,)."""
    if peak <= 0:
        raise ValueError(f"peak must be positive, got {peak}")
    data = pair(estimate, reference, valid)
    inner = slice(_HALF, -_HALF), slice(_HALF, -_HALF)
    counted = untouched(data.valid, _HALF, _HALF)[inner]
    total = 0.0
    for first, second in zip(data.estimate, data.reference, strict=True):
        similarity = _similarity(first, second, peak)
        total += float(similarity[inner][counted].sum())
    return np.array([total, np.count_nonzero(counted) * len(data.reference)])


def _compute(sums: Array) -> float:
    total, count = sums
    return float(total / count) if count else float("nan")


def _similarity(first: Array, second: Array, peak: float) -> Array:
    """SSIM of two bands (H, W) at every pixel."""
    size = (2 * _HALF + 1) ** 2
    # Variances do not change with the origin; near zero, E[x²] − E[x]² keeps its digits.
    origin = second.mean()
    shifted = np.stack([first, second]) - origin
    low = box_sum(shifted, _HALF, _HALF) / size
    squares = np.stack([*np.square(shifted), shifted[0] * shifted[1]])
    products = np.stack([*np.square(low), low[0] * low[1]])
    moments = (box_sum(squares, _HALF, _HALF) - size * products) / (size - 1)
    mean_first, mean_second = low + origin
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    brightness = (2 * mean_first * mean_second + c1) / (mean_first**2 + mean_second**2 + c1)
    structure: Array = (2 * moments[2] + c2) / (moments[0] + moments[1] + c2)
    return np.asarray(brightness * structure)
