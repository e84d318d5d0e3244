"""Image-wide sums and maxima that do not depend on how the image was cut into tiles.

A gate that looks at the mean of a channel sees another mean in every tile. `Statistics` are the
part of such a mean that can be added up: measured per tile, merged in any order, exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

Inner = tuple[slice, slice]  # rows and columns of a tile that no other tile owns

# Pixels of one row that are added in the tensor's own precision before float64 takes over. Tiles
# whose columns start at multiples of it give the same partial sums as the whole image, at the
# speed of a float32 sum; converting every pixel costs 25 times as much (2026-11: 0.7 against
# 18.6 ms for 64 x 256 x 256).
RUN = 16


@dataclass(frozen=True)
class Statistics:
    """What a set of pixels contributes to an image-wide statistic.

    Attributes:
        count: Number of pixels.
        sums: Tensors that add up over pixels, float64.
        maxima: Tensors of which the largest counts.
    """

    count: int
    sums: tuple[Tensor, ...] = ()
    maxima: tuple[Tensor, ...] = ()

    def merge(self, other: Statistics) -> Statistics:
        """The statistics of both pixel sets together; the sets must not overlap."""
        return Statistics(
            self.count + other.count,
            tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
            tuple(torch.maximum(a, b) for a, b in zip(self.maxima, other.maxima, strict=True)),
        )

    @staticmethod
    def merged(parts: Iterable[Statistics]) -> Statistics:
        """All parts together."""
        return reduce(Statistics.merge, parts)

    def mean(self, dtype: torch.dtype) -> Tensor:
        """The first sum divided by the number of pixels, rounded once to `dtype`."""
        return (self.sums[0] / self.count).to(dtype)


def crop(x: Tensor, inner: Inner | None) -> Tensor:
    """`x` (..., H, W) without its halo; all of it where `inner` is None."""
    return x if inner is None else x[..., inner[0], inner[1]]


def sum_pixels(x: Tensor) -> Tensor:
    """Sum over H and W of `x` (B, C, H, W): float64 (B, C)."""
    pixels = x.permute(0, 2, 3, 1)
    whole = pixels.shape[2] // RUN * RUN
    runs = torch.unflatten(pixels[:, :, :whole], 2, (-1, RUN)).sum(3, dtype=_summing(x.dtype))
    rest = pixels[:, :, whole:].sum(2, dtype=_summing(x.dtype))
    return runs.sum((1, 2), dtype=torch.float64) + rest.sum(1, dtype=torch.float64)


def max_pixels(x: Tensor) -> Tensor:
    """Largest value over H and W of `x` (B, C, H, W): (B, C)."""
    return x.amax((2, 3))


def _summing(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
