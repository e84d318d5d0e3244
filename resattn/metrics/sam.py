"""SAM: the angle between spectra, blind to brightness."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.pair import Array, pair
from resattn.metrics.running import Running


def sam(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Mean angle between the two spectra of a pixel, in degrees; 0 is perfect.

    A pixel where either spectrum is all zero has no angle and is left out. NaN when no pixel is
    left.

    Args:
        estimate: Fused image, (B, H, W).
        reference: True image, same shape.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or values are not finite.

    Example:
        >>> round(sam([[[1.0]], [[0.0]]], [[[1.0]], [[1.0]]]), 6)
        45.0

    Reference: Yuhas, Goetz and Boardman, JPL Airborne Geoscience Workshop, 1992.
    """
    return _compute(_update(estimate, reference, valid))


def running_sam() -> Running[[ArrayLike, ArrayLike, ArrayLike | None]]:
    """`sam` over windows of any shape."""
    return Running(_update, _compute)


def _update(estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None = None) -> Array:
    """Sum of the angles in radians and their count; (2,)."""
    data = pair(estimate, reference, valid)
    sizes = np.linalg.norm(data.estimate, axis=0), np.linalg.norm(data.reference, axis=0)
    seen = (sizes[0] > 0) & (sizes[1] > 0) & data.valid
    first = data.estimate[:, seen] / sizes[0][seen]
    second = data.reference[:, seen] / sizes[1][seen]
    # arccos of the dot product loses half the digits near 0; this form (Kahan) is exact there.
    sine = np.linalg.norm(first - second, axis=0)
    cosine = np.linalg.norm(first + second, axis=0)
    angles = 2 * np.arctan2(sine, cosine)
    return np.array([angles.sum(), angles.size])


def _compute(sums: Array) -> float:
    total, count = sums
    return float(np.degrees(total / count)) if count else float("nan")
