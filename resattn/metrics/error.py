"""RMSE and PSNR: the size of the error itself."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.pair import Array, pair
from resattn.metrics.running import Running


def rmse(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Root of the mean squared error over all bands and valid pixels, in the unit of the data.

    NaN without a valid pixel.

    Args:
        estimate: Image to judge, (B, H, W).
        reference: True image, same shape.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or values are not finite.

    Example:
        >>> rmse([[[3.0, 4.0]]], [[[0.0, 8.0]]])
        3.5355339059327378
    """
    return _rmse(_update(estimate, reference, valid))


def psnr(
    estimate: ArrayLike, reference: ArrayLike, *, peak: float, valid: ArrayLike | None = None
) -> float:
    """Peak over RMSE in decibel, one error for all bands; infinite for equal images.

    Args:
        estimate: Image to judge, (B, H, W).
        reference: True image, same shape.
        peak: Greatest value the data can have: 2^bits − 1 (255, 2047, …), 1 for fractions.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ, values are not finite or `peak` is not positive.

    Example:
        >>> psnr([[[1.0]]], [[[0.0]]], peak=10)
        20.0
    """
    return _psnr(_update(estimate, reference, valid), peak)


def running_psnr(peak: float) -> Running[[ArrayLike, ArrayLike, ArrayLike | None]]:
    """`psnr` over windows of any shape."""
    return Running(_update, partial(_psnr, peak=peak))


def running_rmse() -> Running[[ArrayLike, ArrayLike, ArrayLike | None]]:
    """`rmse` over windows of any shape."""
    return Running(_update, _rmse)


def _update(estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None = None) -> Array:
    """Squared error and number of values; (2,)."""
    data = pair(estimate, reference, valid)
    count = np.count_nonzero(data.valid) * len(data.reference)
    return np.array([np.square(data.estimate - data.reference).sum(), count])


def _rmse(sums: Array) -> float:
    total, count = sums
    return float(np.sqrt(total / count)) if count else float("nan")


def _psnr(sums: Array, peak: float) -> float:
    if peak <= 0:
        raise ValueError(f"peak must be positive, got {peak}")
    error = _rmse(sums)
    return float("inf") if error == 0 else float(20 * np.log10(peak / error))
