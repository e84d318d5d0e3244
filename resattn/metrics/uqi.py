"""Q, the universal image quality index, of single bands: the stone that QNR is built of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.blocks import BlockMoments, block_moments
from resattn.metrics.pair import Array, Mask, pair


def q(
    estimate: ArrayLike,
    reference: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    block: int = 32,
) -> float:
    """Universal image quality index, mean over blocks and bands; 1 is perfect, 0 unrelated.

    In each block `2 cov / (var_1 + var_2) · 2 mean_1 mean_2 / (mean_1² + mean_2²)` with unbiased
    moments. Blocks do not overlap; those at the border may be smaller; those less than half valid
    are left out. NaN when none is left.

    Args:
        estimate: Image to judge, (B, H, W).
        reference: True image, same shape.
        valid: Pixels that count, (H, W).
        block: Side of the blocks in pixels.

    Raises:
        ValueError: If shapes differ, values are not finite or `block` is below 2.

    Example:
        >>> image = np.arange(1.0, 1025.0).reshape(1, 32, 32)
        >>> q(2 * image, image)
        0.64

    Reference: Wang and Bovik, IEEE SPL 9(3), 2002.
    """
    data = pair(estimate, reference, valid)
    return _compute(_update(data.estimate, data.reference, data.valid, block))


def band_quality(first: Array, second: Array, valid: Mask, block: int) -> Array:
    """Q between every band of one image and every band of another, mean over blocks; (B, C).

    Args:
        first: (B, H, W), zero where invalid.
        second: (C, H, W), zero where invalid.
        valid: (H, W).
        block: Side of the blocks.
    """
    index = _index(block_moments(first, second, valid, block, "cut"))
    if not len(index):
        return np.full(index.shape[1:], np.nan)
    return np.asarray(index.mean(axis=0))


def _update(estimate: Array, reference: Array, valid: Mask, block: int) -> Array:
    """Q of each band, (B,)."""
    return np.diagonal(band_quality(estimate, reference, valid, block))


def _compute(bands: Array) -> float:
    return float(bands.mean())


def _index(moments: BlockMoments) -> Array:
    """Q of every block and pair of bands, (N, B, C); two flat bands agree in contrast."""
    variances = moments.first_variance[:, :, None] + moments.second_variance[:, None, :]
    first, second = moments.first_mean[:, :, None], moments.second_mean[:, None, :]
    powers = np.square(first) + np.square(second)
    contrast = np.divide(
        2 * moments.covariance, variances, out=np.ones_like(variances), where=variances > 0
    )
    brightness = np.divide(2 * first * second, powers, out=np.ones_like(powers), where=powers > 0)
    return np.asarray(contrast * brightness)
