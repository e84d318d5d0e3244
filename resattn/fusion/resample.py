"""MS samples evaluated at PAN pixel centres, for any grid geometry and any window.

The interpolator is the Lagrange polynomial through the 12 nearest samples. At midpoints its
weights are exactly those of the field's 23-tap filter, which the toolbox applies once per
doubling (`interp23`); unlike that filter it works at every offset and ratio.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resattn.fusion.taps import Image, Mask, Rows, convolve, filter_axes, mirrored_rows

TAPS = 12
"""Samples under the interpolating polynomial on each axis."""

REACH = TAPS // 2
"""MS samples that an output needs on either side."""

_DECIMALS = 9
"""Places between samples are the same if they agree to so many decimals."""

# Aiazzi et al., "Context-driven fusion of high spatial and spectral resolution images based on
# oversampled multiresolution analysis", IEEE TGRS 40(10), 2002: half of the symmetric filter.
_TAPS_23 = (
    0.5, 0.305334091185, 0.0, -0.072698593239, 0.0, 0.021809577942,
    0.0, -0.005192756653, 0.0, 0.000807762146, 0.0, -0.000060081482,
)  # fmt: skip


def lagrange(fraction: NDArray[np.float64], taps: int = TAPS) -> NDArray[np.float64]:
    """Weights (n, taps) of samples 1−taps/2 … taps/2 for values at `fraction` (n,) of 0 … 1."""
    nodes = np.arange(1 - taps // 2, taps // 2 + 1, dtype=np.float64)
    weights = np.ones((fraction.size, taps))
    for index, node in enumerate(nodes):
        for other in np.delete(nodes, index):
            weights[:, index] *= (fraction - other) / (node - other)
    return weights


def interpolation_rows(positions: NDArray[np.float64], length: int, taps: int = TAPS) -> Rows:
    """Rows that evaluate an axis of `length` samples at real sample `positions`."""
    # Georeferences carry about ten digits; snapping spares a sample that lies on a node the
    # rounding of eleven others.
    snapped = np.where(
        np.abs(positions - np.round(positions)) < 1e-7, np.round(positions), positions
    )
    base = np.floor(snapped).astype(np.int64)
    columns = base[:, None] + np.arange(1 - taps // 2, taps // 2 + 1)
    # On a regular grid few fractional places occur: each row of weights is computed once.
    fraction: NDArray[np.float64] = np.round(snapped - base, _DECIMALS)
    places, which = np.unique(fraction, return_inverse=True)
    return mirrored_rows(columns, lagrange(places, taps)[which], length)


def interpolate(ms: Image, rows: Rows, cols: Rows, valid: Mask | None = None) -> Image:
    """`ms` (..., h, w), cut to the spans of `rows` and `cols`, at their output positions.

    Invalid samples are replaced beforehand by a weighted mean of the valid ones around them, so
    that neither their value nor the lobes of the polynomial reach valid pixels.
    """
    return filter_axes(filled(ms, valid), rows, cols)


def filled(ms: Image, valid: Mask | None) -> Image:
    """`ms` (..., h, w) with a local mean of valid samples in place of each invalid one.

    The mean reaches `REACH` samples, as far as any interpolation at a valid sample does; an
    invalid sample farther than that from all valid ones becomes 0.
    """
    if valid is None or valid.all():
        return ms
    spans = [_smoothing_rows(length) for length in valid.shape]
    smooth, _ = convolve(ms, spans[0], spans[1], valid)
    return np.where(valid, ms, smooth)


def interp23(ms: Image, ratio: int) -> Image:
    """`ms` enlarged as the Pansharpening Toolbox does: circular borders, 23 taps per doubling.

    Sample k lands on output index ratio·k + ratio/2, half an output pixel after the centre of its
    footprint. For comparison with published numbers; real grids want `interpolate`.

    Raises:
        ValueError: `ratio` is not a power of two.
    """
    if ratio < 2 or ratio & (ratio - 1):
        raise ValueError(f"the 23-tap interpolator doubles: ratio must be 2, 4, 8, …, got {ratio}")
    taps = 2.0 * np.array(_TAPS_23[:0:-1] + _TAPS_23)
    enlarged = ms.astype(np.float64)
    for stage in range(ratio.bit_length() - 1):
        first = 1 if stage == 0 else 0
        for axis in (-2, -1):
            enlarged = _double(enlarged, taps, axis, first)
    return enlarged.astype(np.float32)


def _double(
    image: NDArray[np.float64], taps: NDArray[np.float64], axis: int, first: int
) -> NDArray[np.float64]:
    """One axis twice as long: samples at indices first, first+2, …, then a circular filter."""
    shape = list(image.shape)
    shape[axis] *= 2
    spread = np.zeros(shape)
    where: list[slice] = [slice(None)] * image.ndim
    where[axis] = slice(first, None, 2)
    spread[tuple(where)] = image
    half = taps.size // 2
    result = np.zeros(shape)
    for offset, weight in zip(range(-half, half + 1), taps, strict=True):
        result += weight * np.roll(spread, offset, axis=axis)
    return result


def _smoothing_rows(length: int) -> Rows:
    """Triangular weights over ±REACH samples around every sample of an axis, cut at its ends."""
    offsets = np.arange(-REACH, REACH + 1)
    columns = np.arange(length)[:, None] + offsets
    inside = (columns >= 0) & (columns < length)
    weights = (REACH + 1.0 - np.abs(offsets)) * inside
    return mirrored_rows(columns, weights / weights.sum(axis=1, keepdims=True), length)
