"""How far each MS band's content lies from where the georeference puts it, measured on PAN.

PAN is reduced to the MS grid at many trial shifts and compared with each band after both were
standardised locally, so that neither haze nor contrast nor a dark lake decides. Half-pixel trials
and a parabola through the best one find shifts to about a tenth of a PAN pixel on scenes with
texture; bands that PAN does not resemble (thermal, cirrus) take the median of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from resattn.fusion.mtf import low_pass_rows
from resattn.fusion.pyramid import Shift, indices, span_of
from resattn.fusion.resample import filled
from resattn.fusion.scene import Scene
from resattn.fusion.taps import Image, Mask, convolve
from resattn.tiling import Window

REACH = 3.0
"""Largest shift searched, PAN pixels."""

STEP = 0.5
"""Distance of trial shifts, PAN pixels."""

_NEIGHBOURHOOD = 5
"""Side, in MS samples, of the square over which a sample is standardised."""

_LEAST_CORRELATION = 0.3
"""Below it a band's own peak is not trusted."""

_SAME = 0.3
"""Bands closer than this to the common shift, in PAN pixels on both axes, take it: on small scenes
the measurement itself is no better."""

_WINDOWS = 9
"""Parts of the scene that are compared at most."""

_TRIALS = np.arange(-REACH, REACH + STEP / 2, STEP)


@dataclass(frozen=True, slots=True)
class Registration:
    """Measured shifts of the bands, and how sure they are.

    Args:
        shifts: (dy, dx) per band in PAN pixels: the band's content lies that far down and right
            of its nominal place.
        correlations: Local correlation with PAN at the best trial shift, per band, −1 … 1.
        nominal: The same at the nominal place.
        measured: False for a band that took the median shift of the others.
    """

    shifts: tuple[Shift, ...]
    correlations: tuple[float, ...]
    nominal: tuple[float, ...]
    measured: tuple[bool, ...]

    @property
    def common(self) -> Shift:
        """The median of the measured shifts; none where no band could be measured."""
        pairs = zip(self.shifts, self.measured, strict=True)
        return _median([shift for shift, own in pairs if own])


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of products over samples: band with PAN (B, K, K), band (B,), PAN (K, K)."""

    cross: NDArray[np.float64]
    band: NDArray[np.float64]
    pan: NDArray[np.float64]


def measure(scene: Scene, gain: float) -> Registration:
    """Shifts of all bands of a scene.

    Args:
        scene: Both images, with the grid map to be checked.
        gain: MTF gain that PAN is reduced with; a mean over bands is exact enough.
    """
    parts = list(scene.each(partial(_compare, scene, gain), _windows(scene)))
    cross = np.sum([part.cross for part in parts], axis=0)
    band = np.sum([part.band for part in parts], axis=0)
    power = band[:, None, None] * np.sum([part.pan for part in parts], axis=0)
    scores = np.divide(cross, np.sqrt(power), out=np.zeros_like(power), where=power > 0)
    peaks = [_peak(np.abs(score)) for score in scores]
    best = [float(score.flat[np.abs(score).argmax()]) for score in scores]
    trusted = [
        peak is not None and abs(value) >= _LEAST_CORRELATION
        for peak, value in zip(peaks, best, strict=True)
    ]
    own = [p if good else None for p, good in zip(peaks, trusted, strict=True)]
    common = _median([shift for shift in own if shift is not None])
    middle = len(_TRIALS) // 2
    return Registration(
        tuple(shift if shift and _apart(shift, common) else common for shift in own),
        tuple(best),
        tuple(float(score[middle, middle]) for score in scores),
        tuple(trusted),
    )


def _windows(scene: Scene) -> list[Window]:
    windows = list(scene.sample_ms_windows())
    return windows[:: -(-len(windows) // _WINDOWS)]


def _compare(scene: Scene, gain: float, window: Window) -> _Sums:
    """Products of locally standardised samples of one MS window, for all bands and trials."""
    pan, seen = _reduced_trials(scene, gain, window)
    ms, valid = scene.read_ms(window)
    known = _undisturbed(valid & seen)
    bands = _standardised(filled(ms, valid))[:, known]
    trials = len(_TRIALS)
    cross, power = np.zeros((len(ms), trials, trials)), np.zeros((trials, trials))
    for row in range(trials):
        for col, sample in enumerate(_standardised(pan[row])[:, known]):
            cross[:, row, col] = bands @ sample
            power[row, col] = sample @ sample
    return _Sums(cross, (bands**2).sum(axis=1), power)


def _reduced_trials(scene: Scene, gain: float, window: Window) -> tuple[Image, Mask]:
    """PAN at the MS samples for every trial, (K, K, h, w), and where all trials are valid."""
    grid, trials = scene.grid, len(_TRIALS)
    rows, cols = (
        low_pass_rows((centres + _TRIALS[:, None]).ravel(), length, gain, grid.ratio)
        for centres, length in (
            (grid.pan_rows(indices(window.row, window.height)), grid.pan_height),
            (grid.pan_cols(indices(window.col, window.width)), grid.pan_width),
        )
    )
    image, valid = scene.read_pan(span_of(rows, cols))
    reduced, trusted = convolve(image, rows, cols, valid)
    shape = (trials, window.height, trials, window.width)
    seen = np.ones(shape, bool) if trusted is None else trusted.reshape(shape)
    everywhere: Mask = np.all(seen, axis=(0, 2))
    return reduced.reshape(shape).transpose(0, 2, 1, 3), everywhere


def _standardised(images: Image) -> NDArray[np.float64]:
    """Images (N, h, w) less their local mean, over their local deviation."""
    values = images.astype(np.float64)
    size = (1, _NEIGHBOURHOOD, _NEIGHBOURHOOD)
    mean = uniform_filter(values, size, mode="nearest")
    variance = np.maximum(uniform_filter(values**2, size, mode="nearest") - mean**2, 0.0)
    # A hundredth of the mean variance keeps sensor noise on flat ground from counting as texture.
    typical = variance.mean(axis=(1, 2), keepdims=True)
    deviation = np.sqrt(variance + 0.01 * typical)
    flat = deviation == 0
    standardised: NDArray[np.float64] = (values - mean) / np.where(flat, 1.0, deviation)
    return standardised


def _undisturbed(valid: Mask) -> Mask:
    """Samples with neither an invalid sample nor the window's edge in their neighbourhood."""
    share = uniform_filter(valid.astype(np.float64), _NEIGHBOURHOOD, mode="constant")
    inside: Mask = share > 1.0 - 0.5 / _NEIGHBOURHOOD**2
    return inside


def _peak(score: NDArray[np.float64]) -> Shift | None:
    """Place of the maximum, refined by parabolas; None on the edge of the search."""
    row, col = np.unravel_index(int(score.argmax()), score.shape)
    if not (0 < row < len(_TRIALS) - 1 and 0 < col < len(_TRIALS) - 1):
        return None
    dy = _TRIALS[row] + STEP * vertex(score[row - 1 : row + 2, col])
    dx = _TRIALS[col] + STEP * vertex(score[row, col - 1 : col + 2])
    return float(dy), float(dx)


def vertex(three: NDArray[np.float64]) -> float:
    """Vertex of the parabola through three equally spaced values, −½ … ½ around the middle."""
    bend = three[0] - 2.0 * three[1] + three[2]
    return float(0.5 * (three[0] - three[2]) / bend) if bend < 0 else 0.0


def _apart(shift: Shift, common: Shift) -> bool:
    return max(abs(a - b) for a, b in zip(shift, common, strict=True)) > _SAME


def _median(shifts: list[Shift]) -> Shift:
    if not shifts:
        return 0.0, 0.0
    dy, dx = np.median(np.array(shifts), axis=0)
    return float(dy), float(dx)
