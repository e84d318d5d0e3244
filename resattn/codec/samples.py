"""Between the samples of a file and the three channels of 0..1 that the network codes."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from resattn.codec.damage import DamageError
from resattn.upscale.levels import Levels

Pixels = NDArray[np.generic]
Unit = NDArray[np.float32]
Present = NDArray[np.bool_]

_BAND = struct.Struct("<ddd")


@dataclass(frozen=True, slots=True)
class Scale:
    """Black, white and the value of missing pixels, for each of some bands.

    Attributes:
        levels: The samples that are 0 and 1 to the network; what lies outside is clipped.
        fill: The sample of a pixel that is not real; NaN means 0 in integer types.
    """

    levels: Levels
    fill: tuple[float, ...]

    @classmethod
    def of_type(cls, dtype: str, bands: int) -> Self:
        """What counts where a file has no BAND chunk."""
        return cls(Levels.of_type(dtype, bands), (math.nan,) * bands)

    def pack(self) -> bytes:
        """The payload of the BAND chunk."""
        rows = zip(self.levels.black, self.levels.white, self.fill, strict=True)
        return b"".join(_BAND.pack(*row) for row in rows)

    @classmethod
    def unpack(cls, data: bytes, bands: int) -> Self:
        """The scale of a BAND chunk.

        Raises:
            DamageError: If it is not one for `bands` bands.
        """
        if len(data) != bands * _BAND.size:
            raise DamageError(f"{len(data)} bytes of levels for {bands} bands")
        black, white, fill = zip(*_BAND.iter_unpack(data), strict=True)
        try:
            return cls(Levels(black, white), fill)
        except ValueError as error:
            raise DamageError(str(error)) from error

    def bands(self, chosen: tuple[int, ...]) -> Scale:
        """The scale of the `chosen` bands, counted from 0."""
        return Scale(self.levels.bands(chosen), tuple(self.fill[band] for band in chosen))

    def to_unit(self, pixels: Pixels, present: Present | None) -> Unit:
        """Samples (B, h, w) as 0..1, holes filled with what surrounds them."""
        unit = self.levels.to_unit(pixels)
        if present is not None and not present.all():
            unit = continued(unit, present)
        return np.clip(unit, 0, 1)

    def from_unit(self, unit: Unit, present: Present | None, dtype: str) -> Pixels:
        """Values of 0..1 (B, h, w) as samples; holes get the fill, and nothing else does."""
        values, target = self.levels.from_unit(unit, dtype), np.dtype(dtype)
        if target.kind in "iu":
            limits = np.iinfo(target)
            values = np.clip(np.rint(values), limits.min, limits.max)
        if present is None:
            return values.astype(target)
        for band, fill in enumerate(self.fill):
            number = 0.0 if math.isnan(fill) and target.kind in "iu" else fill
            if target.kind in "iu" and not math.isnan(fill):
                taken = values[band] == number
                values[band][taken] = number + 1 if number < np.iinfo(target).max else number - 1
            values[band][~present[band]] = number
        return values.astype(target)

    def clipped(self, pixels: Pixels, present: Present | None) -> int:
        """How many samples lie outside black and white."""
        unit = self.levels.to_unit(pixels)
        outside = (unit < 0) | (unit > 1)
        return int(np.count_nonzero(outside if present is None else outside & present))

    def error(self, pixels: Pixels, decoded: Pixels, present: Present | None) -> float:
        """Mean squared error in units of white minus black, over pixels that are real."""
        difference = self.levels.to_unit(pixels) - self.levels.to_unit(decoded)
        squares = np.square(difference, dtype=np.float64)
        if present is not None:
            squares = squares[present]
        return float(squares.mean()) if squares.size else 0.0


def continued(unit: Unit, present: Present) -> Unit:
    """`unit` (B, h, w) with means of what is near in its holes: no edge is left to be coded.

    A hole takes the value of the finest 2ᵏ × 2ᵏ cell around it that holds a real pixel.
    """
    bands, height, width = unit.shape
    if present.all() or height == width == 1:
        return np.where(present, unit, np.float32(0))
    margins = ((0, 0), (0, height % 2), (0, width % 2))
    cells = (bands, -(-height // 2), 2, -(-width // 2), 2)
    real = np.pad(present, margins).reshape(cells)
    total = np.pad(np.where(present, unit, np.float32(0)), margins).reshape(cells).sum((2, 4))
    count = real.sum((2, 4), dtype=np.float32)
    coarse = continued(total / np.maximum(count, 1), count > 0)
    near = coarse.repeat(2, 1).repeat(2, 2)[:, :height, :width]
    return np.where(present, unit, near)


def to_channels(unit: Unit) -> Unit:
    """One to three bands (n, h, w) as three channels: channel c is band c modulo n."""
    return unit[np.arange(3) % len(unit)]


def from_channels(channels: Unit, bands: int) -> Unit:
    """The bands again, each the mean of its channels."""
    if bands == len(channels):
        return channels
    return np.stack([channels[band::bands].mean(axis=0) for band in range(bands)])
