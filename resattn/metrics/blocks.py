"""Non-overlapping square blocks, the unit of Q and Q2n."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resattn.metrics.pair import Array, Pair

LEAST_VALID = 0.5
"""Share of a block that must be valid for it to count."""


@dataclass(frozen=True, slots=True)
class BlockMoments:
    """Means and unbiased covariances of N blocks with B bands; `sizes` (N, 1) counts pixels."""

    sizes: Array
    estimate_mean: Array  # (N, B)
    reference_mean: Array  # (N, B)
    estimate_variance: Array  # (N, B)
    reference_variance: Array  # (N, B)
    covariance: Array  # (N, B, B), [reference band, estimate band]


def block_moments(data: Pair, block: int) -> BlockMoments:
    """First and second moments of every block that is at least half valid.

    Blocks start at the upper left corner; those cut by the lower or right border are completed by
    mirroring the image with its edge, as the toolbox does.

    Raises:
        ValueError: If `block` is below 2: variance needs two pixels.
    """
    if block < 2:
        raise ValueError(f"block size must be at least 2 pixels, got {block}")
    weight = _cut(data.valid[None].astype(np.float64), block)  # (N, 1, P)
    kept = weight.mean(axis=2)[:, 0] >= LEAST_VALID
    weight = weight[kept]
    size = weight.sum(axis=2)
    estimate, estimate_mean = _centred(_cut(data.estimate, block)[kept], weight, size)
    reference, reference_mean = _centred(_cut(data.reference, block)[kept], weight, size)
    scale = 1 / (size - 1)
    return BlockMoments(
        sizes=size,
        estimate_mean=estimate_mean,
        reference_mean=reference_mean,
        estimate_variance=np.square(estimate).sum(axis=2) * scale,
        reference_variance=np.square(reference).sum(axis=2) * scale,
        covariance=reference @ estimate.transpose(0, 2, 1) * scale[..., None],
    )


def _centred(blocks: Array, weight: Array, size: Array) -> tuple[Array, Array]:
    """Deviations from the block mean, zero where masked, and the means."""
    mean = blocks.sum(axis=2) / size
    return (blocks - mean[..., None]) * weight, mean


def _cut(image: Array, block: int) -> Array:
    """(B, H, W) as (N, B, block²), mirrored to whole blocks."""
    bands, height, width = image.shape
    missing = ((0, 0), (0, -height % block), (0, -width % block))
    padded = np.pad(image, missing, mode="symmetric")
    rows, cols = padded.shape[1] // block, padded.shape[2] // block
    cells = padded.reshape(bands, rows, block, cols, block).transpose(1, 3, 0, 2, 4)
    return cells.reshape(rows * cols, bands, block * block)
