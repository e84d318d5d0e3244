"""The shift of each MS band against PAN by which registered scores are taken.

It is measured on the inputs alone, by the reference code's search, so that every method is scored
with the same shifts. What a fusion method itself corrects is not asked.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from resattn.fusion.mtf import SIZE
from resattn.metrics.correlation import correlate, field
from resattn.metrics.enlarge import enlarge
from resattn.metrics.local import untouched
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
    fields = [field(band[inner], _HALF) for band in enlarged]
    rows = [_move(step, soft.shape[0], zeros=zeros) for step in _STEPS]
    cols = [_move(step, soft.shape[1], zeros=zeros) for step in _STEPS]
    scores = np.empty((len(fields), len(_STEPS), len(_STEPS)))
    for i, down in enumerate(rows):
        lowered = down @ soft
        for j, across in enumerate(cols):
            moved = field((across @ lowered.T).T[inner], _HALF)
            for band, one in enumerate(fields):
                scores[band, i, j] = correlate(one, moved, _HALF)[counted].mean()
    return _believed(scores.reshape(len(fields), -1))


def _believed(scores: Array) -> tuple[tuple[float, float], ...]:
    """The shift of each band from its scores (B, steps²), row-major in dy and dx."""
    down, across = np.divmod(scores.argmax(axis=1), len(_STEPS))
    shifts = np.stack([_STEPS[down], _STEPS[across]], axis=1)
    sure = scores.max(axis=1) >= _LEAST
    shifts[~sure] = np.median(shifts[sure], axis=0) if sure.any() else 0.0
    return tuple((float(dy), float(dx)) for dy, dx in shifts)


def _move(shift: float, length: int, *, zeros: bool) -> sparse.csr_array:
    return interpolation(np.arange(length, dtype=np.float64) + shift, length, zeros=zeros)


def _middle(height: int, width: int) -> Window:
    rows, cols = min(height, _MOST), min(width, _MOST)
    return Window((height - rows) // 2, (width - cols) // 2, rows, cols)
