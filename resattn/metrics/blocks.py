"""Non-overlapping square blocks, the unit of Q and Q2n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from resattn.metrics.pair import Array, Mask

LEAST_VALID = 0.5
"""Share of a block's pixels that must be valid for it to count."""


@dataclass(frozen=True, slots=True)
class BlockMoments:
    """Means and unbiased covariances of N blocks of an image with B and one with C bands."""

    first_mean: Array  # (N, B)
    second_mean: Array  # (N, C)
    first_variance: Array  # (N, B)
    second_variance: Array  # (N, C)
    covariance: Array  # (N, B, C)


def block_moments(
    first: Array, second: Array, valid: Mask, block: int, border: Literal["mirror", "cut"]
) -> BlockMoments:
    """First and second moments of every block that is at least half valid.

    Blocks start at the upper left corner. Those that the lower or right border cuts are completed
    by mirroring the image with its edge, or stay as small as they are.

    Args:
        first: (B, H, W), zero where invalid.
        second: (C, H, W), zero where invalid.
        valid: (H, W).
        block: Side of a block in pixels.
        border: What happens to blocks at the border.

    Raises:
        ValueError: If `block` is below 2: variance needs two pixels.
    """
    if block < 2:
        raise ValueError(f"block size must be at least 2 pixels, got {block}")
    weight = _cut(valid[None].astype(np.float64), block, border)
    inside = _cut(np.ones((1, *valid.shape)), block, border)
    size = weight.sum(axis=2)
    kept = (size >= np.maximum(LEAST_VALID * inside.sum(axis=2), 2))[:, 0]
    weight, size = weight[kept], size[kept]
    first, first_mean = _centred(_cut(first, block, border)[kept], weight, size)
    second, second_mean = _centred(_cut(second, block, border)[kept], weight, size)
    scale = 1 / (size - 1)
    return BlockMoments(
        first_mean=first_mean,
        second_mean=second_mean,
        first_variance=np.square(first).sum(axis=2) * scale,
        second_variance=np.square(second).sum(axis=2) * scale,
        covariance=first @ second.transpose(0, 2, 1) * scale[..., None],
    )


def _centred(blocks: Array, weight: Array, size: Array) -> tuple[Array, Array]:
    """Deviations from the block mean, zero where masked, and the means."""
    mean = blocks.sum(axis=2) / size
    return (blocks - mean[..., None]) * weight, mean


def _cut(image: Array, block: int, border: Literal["mirror", "cut"]) -> Array:
    """(B, H, W) as (N, B, block²), completed to whole blocks by mirroring or by zeros."""
    bands, height, width = image.shape
    missing = ((0, 0), (0, -height % block), (0, -width % block))
    padded = np.pad(image, missing, mode="symmetric" if border == "mirror" else "constant")
    rows, cols = padded.shape[1] // block, padded.shape[2] // block
    cells = padded.reshape(bands, rows, block, cols, block).transpose(1, 3, 0, 2, 4)
    return cells.reshape(rows * cols, bands, block * block)
