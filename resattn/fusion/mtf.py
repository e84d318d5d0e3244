"""The low-pass filter that turns PAN resolution into MS resolution, as the camera would.

The filter is the field's usual one: a Gaussian sampled in the frequency domain on 41×41 points,
windowed by a Kaiser window (β = 0.5), with the camera's gain at the Nyquist frequency of the MS
grid. `kernel` is that 41×41 array. Because a Gaussian separates, and the window is flat to 1e-5
over the few pixels where it is not negligible, `response` gives the same filter along one axis,
at any real offset: the MS image of a PAN scene can then be computed exactly where the MS samples
lie, which for georeferenced pairs is hardly ever on a PAN pixel.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.taps import Rows, convolve, mirrored_rows

SIZE = 41
"""Points of the frequency-sampled filter on each axis."""

_KAISER_BETA = 0.5

_DECIMALS = 9
"""Places of samples, in PAN pixels, are the same if they agree to so many decimals."""


def spread(gain: float, ratio: float, size: int = SIZE) -> float:
    """Standard deviation, in frequency samples, of the Gaussian with `gain` at MS Nyquist.

    σ = ((N−1) / 2r) / sqrt(−2 ln G): Aiazzi et al., "MTF-tailored multiscale fusion of
    high-resolution MS and Pan imagery", PE&RS 72(5), 2006, as the Pansharpening Toolbox codes it.
    """
    if not 0.0 < gain < 1.0:
        raise ValueError(f"gain must lie between 0 and 1, got {gain}")
    if ratio < 1.0:
        raise ValueError(f"ratio must be at least 1, got {ratio}")
    return (size - 1) / (2.0 * ratio) / math.sqrt(-2.0 * math.log(gain))


def response(
    offsets: NDArray[np.float64], gain: float, ratio: float, size: int = SIZE
) -> NDArray[np.float64]:
    """Impulse response along one axis at real `offsets` in PAN pixels; not normalised.

    It is the inverse Fourier sum of the sampled Gaussian, so it equals the discrete filter at
    whole offsets and interpolates it in between; zero beyond the filter's half width.
    """
    half = size // 2
    frequency = np.arange(-half, half + 1, dtype=np.float64)
    spectrum = np.exp(-0.5 * (frequency / spread(gain, ratio, size)) ** 2)
    waves = np.cos(2.0 * np.pi / size * offsets[..., None] * frequency)
    return (waves @ spectrum) / size * _kaiser(offsets / half)


def kernel(gain: float, ratio: float, size: int = SIZE) -> NDArray[np.float64]:
    """The `(size, size)` filter with unit sum, Kaiser window rotated about the centre."""
    half = size // 2
    frequency = np.arange(-half, half + 1, dtype=np.float64)
    spectrum = np.exp(-0.5 * (frequency / spread(gain, ratio, size)) ** 2)
    plane = np.fft.ifft2(np.fft.ifftshift(np.outer(spectrum, spectrum)))
    radius = np.hypot(frequency[:, None], frequency[None, :])
    taps = np.fft.fftshift(plane.real) * _kaiser(radius / half)
    return np.asarray(taps / taps.sum(), dtype=np.float64)


def low_pass_rows(
    centres: NDArray[np.float64], length: int, gain: float, ratio: float, size: int = SIZE
) -> Rows:
    """Rows that filter an axis of `length` pixels and sample it at real positions `centres`."""
    half = size // 2
    first = np.ceil(centres - half).astype(np.int64)
    columns = first[:, None] + np.arange(size)
    # On a regular grid few fractional places occur, often one: each row is computed once.
    places, which = np.unique(np.round(first - centres, _DECIMALS), return_inverse=True)
    weights = response(places[:, None] + np.arange(size), gain, ratio, size)
    weights /= weights.sum(axis=1, keepdims=True)
    return mirrored_rows(columns, weights[which], length)


def blur(
    image: NDArray[np.float32],
    gain: float,
    ratio: float,
    valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """`image` (..., H, W) low-passed on its own grid; borders mirrored, invalid pixels left out.

    Pixels with no valid pixel under the filter come out as 0.
    """
    height, width = image.shape[-2:]
    rows = low_pass_rows(np.arange(height, dtype=np.float64), height, gain, ratio)
    cols = low_pass_rows(np.arange(width, dtype=np.float64), width, gain, ratio)
    return convolve(image, rows, cols, valid)[0]


def _kaiser(radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kaiser window over the unit radius, 1 at the centre and 0 outside."""
    inside = np.clip(1.0 - radius**2, 0.0, None)
    window = np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA)
    return np.where(np.abs(radius) <= 1.0, window, 0.0)
