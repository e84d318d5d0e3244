"""Which values of a file the network sees as black and as white.

Networks are trained on values of 0..1. The map to them is affine, one for the whole image and
never per tile, and it is undone exactly; values beyond the levels pass through, they are not cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.generic]
Real = NDArray[np.float32] | NDArray[np.float64]

PERCENTILES = (0.1, 99.9)
"""Shares of the pixels below black and below white where levels are measured."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Black and white of each band."""

    black: tuple[float, ...]
    white: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.black) != len(self.white) or not all(
            np.isfinite([low, high]).all() and low < high
            for low, high in zip(self.black, self.white, strict=True)
        ):
            raise ValueError(f"black {self.black} must lie below white {self.white} in each band")

    @classmethod
    def same(cls, low: float, high: float, count: int) -> Self:
        """The same two values for `count` bands."""
        return cls((low,) * count, (high,) * count)

    @classmethod
    def of_type(cls, dtype: str, count: int) -> Self:
        """The whole range of an unsigned integer type; 0..1 for any other type."""
        kind = np.dtype(dtype)
        return cls.same(0.0, float(np.iinfo(kind).max) if kind.kind == "u" else 1.0, count)

    @classmethod
    def measured(cls, bands: list[NDArray[np.float64]]) -> Self:
        """The `PERCENTILES` of each list of samples; 0..1 where there is nothing to measure."""
        low, high = [], []
        for samples in bands:
            first, last = np.percentile(samples, PERCENTILES) if samples.size else (0.0, 1.0)
            low.append(float(first))
            # A constant band has no contrast to speak of: its own size keeps numbers sane.
            high.append(float(last) if last > first else float(first) + max(1.0, abs(first)))
        return cls(tuple(low), tuple(high))

    def bands(self, chosen: tuple[int, ...]) -> Levels:
        """The levels of the `chosen` bands, counted from 0."""
        return Levels(
            tuple(self.black[band] for band in chosen), tuple(self.white[band] for band in chosen)
        )

    def to_unit(self, pixels: Pixels) -> NDArray[np.float32]:
        """`pixels` (B, H, W) with black at 0 and white at 1."""
        exact = _exact(pixels.dtype)
        black, span = self._columns(exact)
        return ((pixels.astype(exact) - black) / span).astype(np.float32)

    def from_unit(self, unit: NDArray[np.float32], dtype: str) -> Real:
        """`unit` (B, H, W) as values of a file of that type, neither rounded nor clipped."""
        exact = _exact(np.dtype(dtype))
        black, span = self._columns(exact)
        result: Real = unit.astype(exact) * span + black
        return result

    def _columns(self, exact: np.dtype[np.floating]) -> tuple[Real, Real]:
        black = np.array(self.black, np.float64)[:, None, None]
        white = np.array(self.white, np.float64)[:, None, None]
        return black.astype(exact), (white - black).astype(exact)


def _exact(dtype: np.dtype[np.generic]) -> np.dtype[np.floating]:
    """float32 where it holds every value of the type, else float64."""
    small = dtype.itemsize <= 2 or dtype == np.float32
    return np.dtype(np.float32 if small else np.float64)
