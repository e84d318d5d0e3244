"""Q2n (Q4, Q8, …): the universal quality index for all bands at once.

The bands of a pixel are read as one hypercomplex number, so that the index sees correlation,
brightness, contrast and the angle between spectra together.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.blocks import block_moments
from resattn.metrics.pair import Array, Pair, pair
from resattn.metrics.running import Running

Padding = Literal["mirror", "power-of-two"]


def q2n(
    estimate: ArrayLike,
    reference: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    block: int = 32,
    padding: Padding = "mirror",
) -> float:
    """Hypercomplex quality index, mean over blocks; 1 is perfect, 0 unrelated.

    In each block the bands of both images are shifted and scaled by the mean and the standard
    deviation of the reference band (to mean 1, deviation 1), read as hypercomplex numbers z
    (reference) and w (estimate) of 2^n parts, and compared:
    `2 |cov(z, w)| / (var z + var w) · 2 |mean z| |mean w| / (|mean z|² + |mean w|²)`.
    Missing bands up to 2^n are zero. Blocks less than half valid are left out; NaN when none is
    left. The value does not depend on the unit of the data; nothing is rounded to integers.

    Args:
        estimate: Fused image, (B, H, W), any number of bands.
        reference: True image, same shape.
        valid: Pixels that count, (H, W).
        block: Side of the blocks in pixels.
        padding: How blocks cut by the border are completed. `mirror` is the published definition;
            `power-of-two` first repeats the border up to the next power of two on all sides, as
            the λ-PNN authors' code does, and lets that margin count (docs/metrics.md).

    Raises:
        ValueError: If shapes differ, values are not finite, or an option is out of range.

    Example:
        >>> image = np.arange(32 * 32 * 3.0).reshape(3, 32, 32)
        >>> round(q2n(image, image), 12)
        1.0

    Reference: Garzelli and Nencini, IEEE GRSL 6(4), 2009, eq. 1 to 15.
    """
    return _compute(_update(estimate, reference, valid, block=block, padding=padding))


def running_q2n(block: int = 32) -> Running[[ArrayLike, ArrayLike, ArrayLike | None]]:
    """`q2n` over windows as `score_windows` cuts them."""
    return Running(partial(_update, block=block), _compute)


def _update(
    estimate: ArrayLike,
    reference: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    block: int = 32,
    padding: Padding = "mirror",
) -> Array:
    """Sum of the block indices and their count; (2,)."""
    data = pair(estimate, reference, valid)
    if padding == "power-of-two":
        data = _to_power_of_two(data)
    elif padding != "mirror":
        raise ValueError(f"padding must be mirror or power-of-two, got {padding!r}")
    index = _block_index(data, block)
    return np.array([index.sum(), index.size])


def _compute(sums: Array) -> float:
    total, count = sums
    return float(total / count) if count else float("nan")


def _block_index(data: Pair, block: int) -> Array:
    """The index of every block, (N,)."""
    moments = block_moments(data.reference, data.estimate, data.valid, block, "mirror")
    bands = data.reference.shape[0]
    parts = 1 << (bands - 1).bit_length()
    # A flat reference band has no deviation to scale by; the toolbox then divides by eps.
    deviation = np.sqrt(moments.first_variance)
    deviation[deviation == 0] = np.finfo(np.float64).eps
    covariance = np.zeros((len(deviation), parts, parts))
    covariance[:, :bands, :bands] = (
        moments.covariance / deviation[:, :, None] / deviation[:, None, :]
    )
    variance = (moments.first_variance + moments.second_variance) / np.square(deviation)
    offset = (moments.second_mean - moments.first_mean) / deviation
    # The scaled reference, and every missing band in both images, has mean 1.
    estimate_norm = np.sqrt(np.square(1 + offset).sum(axis=1) + (parts - bands))
    bias = 2 * np.sqrt(parts) * estimate_norm / (parts + np.square(estimate_norm))
    spread = variance.sum(axis=1)
    modulus = np.linalg.norm(covariance.reshape(-1, parts * parts) @ _products(parts), axis=1)
    # Two flat blocks have nothing to correlate: brightness alone decides.
    contrast = np.divide(2 * modulus, spread, out=np.ones_like(spread), where=spread > 0)
    index: Array = contrast * bias
    return index


def _products(parts: int) -> Array:
    """Matrix from all products p_i q_j to the parts of p times the conjugate of q."""
    signs = _signs(parts)
    conjugate = np.where(np.arange(parts) == 0, 1.0, -1.0)
    table = np.zeros((parts, parts, parts))
    first, second = np.indices((parts, parts))
    table[first, second, first ^ second] = signs * conjugate
    return table.reshape(parts * parts, parts)


def _signs(parts: int) -> Array:
    """Sign of e_i e_j = ± e_(i xor j), by (a, b)(c, d) = (ac − d*b, da + bc*)."""
    if parts == 1:
        return np.ones((1, 1))
    half = _signs(parts // 2)
    conjugate = np.where(np.arange(parts // 2) == 0, 1.0, -1.0)
    return np.block([[half, half.T], [half * conjugate, -half.T * conjugate]])


def _to_power_of_two(data: Pair) -> Pair:
    height, width = data.valid.shape
    margins = tuple(
        (missing // 2, missing - missing // 2)
        for missing in ((1 << (side - 1).bit_length()) - side for side in (height, width))
    )
    return Pair(
        np.pad(data.estimate, ((0, 0), *margins), mode="edge"),
        np.pad(data.reference, ((0, 0), *margins), mode="edge"),
        np.pad(data.valid, margins, mode="edge"),
    )
