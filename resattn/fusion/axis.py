"""One direction of a grid map, and the filters from PAN to MS samples and back along it.

Tiles in a row share the filters down their columns, and both directions of a run ask for the same
ones again and again: making them took as long as applying them. They are remembered, the last
`_KEPT` of each kind, 50 kB apiece.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.mtf import low_pass_rows
from resattn.fusion.resample import interpolation_rows
from resattn.fusion.taps import Rows

POINT = 1.0
"""A Nyquist gain of 1: MS samples PAN without any low-pass (see `pyramid.Optics.softness`)."""

_KEPT = 256


@dataclass(frozen=True, slots=True)
class Axis:
    """MS sample k of `samples` lies at offset + scale·k on an axis of `pixels`."""

    offset: float
    scale: float
    samples: int
    pixels: int

    def pixels_of(self, start: int, count: int) -> NDArray[np.float64]:
        """Places of MS samples `start` and on, in PAN pixels."""
        return self.offset + self.scale * _indices(start, count)

    def samples_of(self, start: int, count: int) -> NDArray[np.float64]:
        """Places of PAN pixels `start` and on, in MS samples."""
        return (_indices(start, count) - self.offset) / self.scale


@lru_cache(maxsize=_KEPT)
def enlarging(axis: Axis, start: int, count: int) -> Rows:
    """Weights of MS samples in PAN pixels `start` to `start + count`."""
    return interpolation_rows(axis.samples_of(start, count), axis.samples)


@lru_cache(maxsize=_KEPT)
def reducing(axis: Axis, start: int, count: int, gain: float, ratio: float) -> Rows:
    """Weights of PAN pixels in MS samples `start` to `start + count`, for a Nyquist `gain`."""
    centres = axis.pixels_of(start, count)
    if gain == POINT:
        return interpolation_rows(centres, axis.pixels)
    return low_pass_rows(centres, axis.pixels, gain, ratio)


def _indices(start: int, count: int) -> NDArray[np.float64]:
    return np.arange(start, start + count, dtype=np.float64)
