"""ERGAS: error of each band relative to that band's mean, the usual first number in fusion."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.pair import Array, pair
from resattn.metrics.running import Running


def ergas(
    estimate: ArrayLike, reference: ArrayLike, *, ratio: float, valid: ArrayLike | None = None
) -> float:
    """Relative dimensionless global error in synthesis, in percent; 0 is perfect.

    `100 / ratio · sqrt(mean over bands of MSE_b / mean(reference_b)²)`. Infinite when a band of
    the reference has mean zero and the estimate differs; NaN without a valid pixel.

    Args:
        estimate: Fused image, (B, H, W).
        reference: True image, same shape.
        ratio: MS pixel size over PAN pixel size (4 for most sensors).
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ, values are not finite, or `ratio` is not positive.

    Example:
        >>> ergas([[[90.0, 110.0]]], [[[100.0, 100.0]]], ratio=4)
        2.5

    Reference: Wald, Data Fusion: Definitions and Architectures, 2002.
    """
    return _compute(_update(estimate, reference, valid), ratio)


def running_ergas(ratio: float) -> Running[[ArrayLike, ArrayLike, ArrayLike | None]]:
    """`ergas` over windows of any shape."""
    return Running(_update, partial(_compute, ratio=ratio))


def _update(estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None = None) -> Array:
    """Per band: count, squared error, sum of the reference; (3, B)."""
    data = pair(estimate, reference, valid)
    error = np.square(data.estimate - data.reference).sum(axis=(1, 2))
    total = data.reference.sum(axis=(1, 2))
    return np.stack([np.full_like(error, np.count_nonzero(data.valid)), error, total])


def _compute(sums: Array, ratio: float) -> float:
    if ratio <= 0:
        raise ValueError(f"ratio must be positive, got {ratio}")
    count, error, total = sums
    if not count[0]:
        return float("nan")
    # MSE / mean² = (error / n) / (total / n)²; an exact band counts 0 even where its mean is 0.
    relative = np.divide(
        error * count,
        np.square(total),
        out=np.where(error > 0, np.inf, 0.0),
        where=total != 0,
    )
    return float(100 / ratio * np.sqrt(relative.mean()))
