"""Pixels of any type as the eight bits a detector was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resattn.io.raster import Pixels, Raster
from resattn.tiling import Window

Eight = NDArray[np.uint8]

LOW_PERCENT, HIGH_PERCENT = 1.0, 99.0

_SAMPLES = 8
_SAMPLE_SIDE = 256


@dataclass(frozen=True, slots=True)
class Stretch:
    """For each band the value that becomes 0 and the one that becomes 255."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def same(cls, limits: tuple[float, float], count: int) -> Stretch:
        """One pair of limits for all of `count` bands."""
        return cls((limits[0],) * count, (limits[1],) * count)

    def apply(self, pixels: Pixels) -> Eight:
        """The pixels (B, h, w) in eight bits; what lies beyond the limits is clipped, NaN is 0."""
        low = np.array(self.low, np.float32)[:, None, None]
        span = np.maximum(np.array(self.high, np.float32)[:, None, None] - low, 1e-12)
        with np.errstate(over="ignore", invalid="ignore"):  # nodata may be the least of floats
            scaled = (pixels.astype(np.float32) - low) * (255 / span)
        clipped = np.clip(np.nan_to_num(scaled, nan=0, posinf=255, neginf=0), 0, 255)
        eight: Eight = np.rint(clipped).astype(np.uint8)
        return eight


def choose(
    raster: Raster, bands: Sequence[int], limits: tuple[float, float] | None = None
) -> Stretch | None:
    """How to bring these bands to eight bits; None if they are and no limits are given.

    Without `limits` these are the 1st and 99th percentile of each band over the valid pixels of
    up to 8×8 windows spread evenly, so that a huge raster costs no more than a small one.
    """
    if limits is not None:
        return Stretch.same(limits, len(bands))
    if raster.info.dtype == "uint8":
        return None
    unique = sorted(set(bands))
    samples: list[list[Pixels]] = [[] for _ in unique]
    for window in _spread(raster.info.height, raster.info.width):
        pixels = raster.read(window, unique)
        valid = raster.valid(window, unique, per_band=True)
        for sample, plane, real in zip(samples, pixels, valid, strict=True):
            sample.append(plane[real])
    ends = dict(zip(unique, map(_ends, samples), strict=True))
    return Stretch(tuple(ends[b][0] for b in bands), tuple(ends[b][1] for b in bands))


def _ends(sample: list[Pixels]) -> tuple[float, float]:
    values = np.concatenate(sample).astype(np.float64)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [LOW_PERCENT, HIGH_PERCENT])
    return float(low), float(max(high, low + 1e-12))


def _spread(height: int, width: int) -> Iterator[Window]:
    for row in _starts(height):
        for col in _starts(width):
            yield Window(row, col, min(_SAMPLE_SIDE, height), min(_SAMPLE_SIDE, width))


def _starts(length: int) -> list[int]:
    count = min(_SAMPLES, -(-length // _SAMPLE_SIDE))
    last = max(length - _SAMPLE_SIDE, 0)
    return sorted({round(last * i / max(count - 1, 1)) for i in range(count)})
