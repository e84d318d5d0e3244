"""Pictures for people: any bands as 8-bit RGB with one stretch for everything to be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Per band the values shown as black and as white."""

    black: tuple[float, ...]
    white: tuple[float, ...]

    @classmethod
    def of(
        cls,
        pixels: Pixels,
        valid: Valid | None = None,
        *,
        percentiles: tuple[float, float] = (1, 99),
    ) -> Stretch:
        """The percentiles of each band of `pixels` (B, H, W) over its valid, finite pixels.

        A band without such pixels, or with one value only, is shown black.
        """
        black, white = [], []
        for band in pixels:
            real = np.isfinite(band) if valid is None else valid & np.isfinite(band)
            chosen = band[real]
            low, high = np.percentile(chosen, percentiles) if chosen.size else (0.0, 1.0)
            black.append(float(low))
            white.append(float(high) if high > low else float(low) + 1)
        return cls(tuple(black), tuple(white))

    def apply(self, pixels: Pixels, valid: Valid | None = None) -> NDArray[np.uint8]:
        """`pixels` (B, H, W) as uint8, invalid ones black.

        Raises:
            ValueError: If the number of bands is not that of the stretch.
        """
        if len(pixels) != len(self.black):
            raise ValueError(f"{len(pixels)} bands for a stretch of {len(self.black)}")
        black = np.array(self.black)[:, None, None]
        white = np.array(self.white)[:, None, None]
        shown = np.clip((pixels.astype(np.float64) - black) / (white - black), 0, 1)
        shown = np.where(np.isfinite(shown), shown, 0)
        if valid is not None:
            shown = np.where(valid, shown, 0)
        grey: NDArray[np.uint8] = np.rint(shown * 255).astype(np.uint8)
        return grey
