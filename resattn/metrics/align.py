"""The shift of each MS band against PAN by which registered scores are taken.

It is measured on the inputs alone, by the reference code's search, so that every method is scored
with the same shifts. What a fusion method itself corrects is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from resattn.fusion.mtf import SIZE
from resattn.metrics.correlation import LEAST_POWER, Field, correlate, field
from resattn.metrics.enlarge import enlarge
from resattn.metrics.local import box_sum, untouched
from resattn.metrics.observe import Observer, interpolation, low_pass
from resattn.metrics.pair import Array, Mask, image
from resattn.tiling import Window

_STEPS = np.arange(-4, 5) / 2  # PAN pixels
_HALF = 8  # window of the local correlation
_MARGIN = 3
_LEAST = 0.5
"""Mean correlation a band must reach for its shift to be believed. Bands that show the structures
of PAN reach .6 to .97; near infrared over vegetation (.04), cirrus (.13) and thermal bands (.45)
do not, and the maximum then lies anywhere (measured on Landsat 8, 2026-11)."""
_THINNED = slice(3, None, 4)
_TOLERANCE = 0.02
"""Mean correlation by which a trial may lag behind the best in every fourth pixel and still be
looked at in all: the differences between trials agree to .003 (WorldView-3, Landsat 8)."""
_LEAST_THINNED = 256  # pixels on a side; fewer are looked at in all at once
_MOST = 512  # PAN pixels on a side: enough for half a pixel, and seconds instead of minutes


def register(
    observer: Observer,
    pan: ArrayLike,
    ms: ArrayLike,
    pan_gain: float,
    *,
    valid: ArrayLike | None = None,
    ms_valid: ArrayLike | None = None,
) -> Observer:
    """`observer` with the measured (dy, dx) of each band, in steps of half a PAN pixel up to 2.

    PAN is low-passed with its own MTF and moved over the grid of shifts; the one with the highest
    mean local correlation (16×16 pixels) with the enlarged band wins. Measured on the 512×512 PAN
    pixels in the middle of the scene. A band that does not look like PAN anywhere takes the median
    shift of those that do.

    Args:
        observer: Grids and gains; its shifts are ignored.
        pan: PAN image, (H, W) or (1, H, W).
        ms: MS image, (B, h, w).
        pan_gain: MTF gain of PAN at the Nyquist frequency of MS.
        valid: Valid PAN pixels, (H, W).
        ms_valid: Valid MS samples, (h, w).

    Reference: Ciotola, Poggi and Scarpa, IEEE TGRS 61, 2023, Section III.
    """
    grid = observer.grid
    part = _middle(grid.pan_height, grid.pan_width)
    sharp, coarse = image(pan, valid, "pan"), image(ms, ms_valid, "ms")
    mask = np.ones(sharp.shape[1:], np.bool_) if valid is None else np.asarray(valid, np.bool_)
    seen = np.ones(coarse.shape[1:], np.bool_) if ms_valid is None else np.asarray(ms_valid, bool)
    # The reference code draws PAN's filter one part in 41 wider; correlation ignores its gain.
    wider = pan_gain ** (((SIZE - 1) / SIZE) ** 2)
    soft, trusted = low_pass(sharp[:, *part.slices], (wider,), grid.ratio, mask[part.slices])
    enlarged = enlarge(coarse, observer, seen)[:, *part.slices]
    counted = untouched(trusted, 2 * _HALF, 2 * _HALF)
    shifts = _search(soft[0], enlarged, counted, zeros=observer.toolbox)
    return replace(observer, shifts=shifts)


def _search(
    soft: Array, enlarged: Array, counted: Mask, *, zeros: bool
) -> tuple[tuple[float, float], ...]:
    """Shift of best mean correlation for each band; (0, 0) where nothing is comparable."""
    inner = slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN)
    counted = counted[inner]
    if not counted.any():
        return ((0.0, 0.0),) * len(enlarged)
    trials = _Trials(soft, inner, zeros=zeros)
    fields = [field(band[inner], _HALF) for band in enlarged]
    wanted = np.ones((len(fields), len(_STEPS), len(_STEPS)), np.bool_)
    if min(counted.shape) >= _LEAST_THINNED:
        wanted = _promising(trials, fields, counted)
    scores = np.full(wanted.shape, -np.inf)
    for i, j in np.argwhere(wanted.any(axis=0)):
        moved = trials.field(i, j)
        for band in np.flatnonzero(wanted[:, i, j]):
            scores[band, i, j] = correlate(fields[band], moved, _HALF)[counted].mean()
    return _believed(scores.reshape(len(fields), -1))


class _Trials:
    """The low-passed PAN at every trial shift."""

    def __init__(self, soft: Array, inner: tuple[slice, slice], *, zeros: bool) -> None:
        self._inner = inner
        cols = [_move(step, soft.shape[1], zeros=zeros) for step in _STEPS]
        self._rows = [_move(step, soft.shape[0], zeros=zeros) for step in _STEPS]
        self._across = [np.ascontiguousarray((move @ soft.T).T) for move in cols]

    def field(self, down: int, across: int) -> Field:
        """What it brings to a correlation at one pair of steps."""
        return field((self._rows[down] @ self._across[across])[self._inner], _HALF)


def _promising(trials: _Trials, fields: Sequence[Field], counted: Mask) -> Mask:
    """Trials (B, steps, steps) that may be a band's best, by every fourth pixel both ways."""
    counted = counted[_THINNED, _THINNED]
    if not counted.any():
        return np.ones((len(fields), len(_STEPS), len(_STEPS)), np.bool_)
    rough = np.empty((len(fields), len(_STEPS), len(_STEPS)))
    scales = [_scale(power) for _, power in fields]
    for i, j in np.ndindex(rough.shape[1:]):
        details, power = trials.field(i, j)
        scale = _scale(power)
        for band, (own, _) in enumerate(fields):
            product = box_sum(_fours(own * details), 1, 2)
            rough[band, i, j] = (product * scale * scales[band])[counted].mean()
    return np.asarray(rough >= rough.max(axis=(1, 2), keepdims=True) - _TOLERANCE)


def _scale(power: Array) -> Array:
    return np.asarray(1 / np.sqrt(np.maximum(power[_THINNED, _THINNED], LEAST_POWER)))


def _fours(image: Array) -> Array:
    """Sums of 4×4 pixels; the window around a pixel of `_THINNED` is 4×4 of them."""
    height, width = (side // 4 * 4 for side in image.shape)
    rows = image[:height, :width].reshape(height // 4, 4, width).sum(axis=1)
    fours: Array = rows[:, 0::4] + rows[:, 1::4] + rows[:, 2::4] + rows[:, 3::4]
    return fours


def _believed(scores: Array) -> tuple[tuple[float, float], ...]:
    """The shift of each band from its scores (B, steps²), row-major in dy and dx."""
    down, across = np.divmod(scores.argmax(axis=1), len(_STEPS))
    shifts = np.stack([_STEPS[down], _STEPS[across]], axis=1)
    sure = scores.max(axis=1) >= _LEAST
    shifts[~sure] = np.median(shifts[sure], axis=0) if sure.any() else 0.0
    return tuple((float(dy), float(dx)) for dy, dx in shifts)


def _move(shift: float, length: int, *, zeros: bool) -> sparse.csr_array:
    move = interpolation(np.arange(length, dtype=np.float64) + shift, length, zeros=zeros)
    move.eliminate_zeros()  # whole shifts have one weight a pixel
    return move


def _middle(height: int, width: int) -> Window:
    rows, cols = min(height, _MOST), min(width, _MOST)
    return Window((height - rows) // 2, (width - cols) // 2, rows, cols)
