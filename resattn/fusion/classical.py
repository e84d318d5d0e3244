"""Pansharpening in closed form: statistics of the scene fitted once, then applied by windows.

The methods share one formula (`resattn.fusion.injection`) and differ in what they subtract from
PAN to get its detail and in how they fit the gains; docs/pansharpen-methods.md has each with its
equations and source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from resattn.errors import UserError
from resattn.fusion.consistency import consistent
from resattn.fusion.injection import Injection, Vector, inject
from resattn.fusion.moments import FLAT, Moments
from resattn.fusion.pyramid import Optics, Pyramid
from resattn.fusion.scene import Scene
from resattn.fusion.statistics import Coarse, Statistics
from resattn.fusion.taps import Image, Mask
from resattn.tiling import Window

_LEAST_SHARE = 0.05
"""Ratio methods divide by no less than this share of the mean: dark water stays dark and does not
turn into noise."""

_RIDGE = 1e-3
"""Of the correlation matrix, for regressions on bands that nearly repeat each other."""


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted method: all that `apply` needs besides the scene, a JSON value by `asdict`."""

    method: str
    optics: Optics
    injection: Injection
    consistency: float = 0.0

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """The fused bands (B, H, W) of a PAN window, 0 where invalid, and their validity (H, W).

        The window is read with all the context it needs, so any tiling gives the same bits.
        """
        pyramid = Pyramid(scene, self.optics)
        return consistent(
            pyramid, lambda span: inject(pyramid, self.injection, span), window, self.consistency
        )


def fit(method: str, scene: Scene, optics: Optics, *, consistency: float = 0.0) -> Model:
    """`method` with its coefficients for this scene.

    Args:
        method: A key of `METHODS`.
        scene: Both images; statistics come from windows of a million PAN pixels at most
            (`Scene.sample_windows`), so their cost does not grow with the scene.
        optics: MTF gains and shifts of the bands.
        consistency: 0 … 1, how strongly bands are corrected until reduction returns the MS
            samples, see `resattn.fusion.consistency`.

    Raises:
        UserError: unknown method.
        ItemError: E327, no pixel is valid in both images.
    """
    if method not in METHODS:
        raise UserError(f"unknown method {method!r}", f"use one of {', '.join(METHODS)}")
    if len(optics.ms_gains) != scene.bands:
        raise ValueError(f"{len(optics.ms_gains)} MTF gains for {scene.bands} bands")
    if not 0.0 <= consistency <= 1.0:
        raise UserError(f"consistency {consistency}", "give a value from 0 to 1")
    injection = METHODS[method](Statistics(Pyramid(scene, optics)))
    return Model(method, optics, injection, consistency)


def _exp(statistics: Statistics) -> Injection:
    return _injection(statistics.bands, pan=0.0)


def _brovey(statistics: Statistics) -> Injection:
    weights, constant = _intensity(statistics, nonnegative=True)
    mean = float(weights @ statistics.fine.mean[: statistics.bands]) + constant
    return _injection(
        statistics.bands,
        mix=(tuple(weights.tolist()),),
        constant=constant,
        relative=1.0,
        floor=max(_LEAST_SHARE * mean, 1e-6),
    )


def _gsa(statistics: Statistics) -> Injection:
    bands = statistics.bands
    weights, constant = _intensity(statistics, nonnegative=False)
    covariance = statistics.fine.covariance[:bands, :bands] @ weights
    mean = weights @ statistics.fine.mean[:bands] + constant
    variance = np.full(bands, weights @ covariance)
    gains = _divide(covariance, variance, np.full(bands, mean))
    return _injection(bands, mix=(tuple(weights.tolist()),), constant=constant, additive=gains)


def _mtf_glp(statistics: Statistics) -> Injection:
    return _injection(statistics.bands, low=1.0, additive=_low_pass_gains(statistics))


def _mtf_glp_fs(statistics: Statistics) -> Injection:
    covariance, pan = statistics.fine.covariance, statistics.pan_channel
    low = [statistics.low_channel(band) for band in range(statistics.bands)]
    gains = _divide(
        covariance[: statistics.bands, pan], covariance[low, pan], statistics.fine.mean[low]
    )
    return _injection(statistics.bands, low=1.0, additive=gains)


def _mtf_glp_hpm(statistics: Statistics) -> Injection:
    haze, floor = _haze(statistics)
    # A band that falls where PAN rises, or has no light, has no ratio to PAN: it keeps the gain.
    ratio = np.isfinite(haze)
    gains = np.array(_low_pass_gains(statistics))
    return _injection(
        statistics.bands,
        low=1.0,
        additive=tuple(np.where(ratio, 0.0, gains).tolist()),
        relative=tuple(np.where(ratio, 1.0, 0.0).tolist()),
        haze=tuple(np.where(ratio, haze, 0.0).tolist()),
        floor=tuple(floor.tolist()),
    )


def _mtf_glp_reg(statistics: Statistics) -> Injection:
    haze, floor = _haze(statistics)
    ratio = np.isfinite(haze)
    shift = np.where(ratio, haze, 0.0)

    def details(coarse: Coarse) -> Moments:
        light = np.maximum(coarse.pan_low + shift[:, None], floor[:, None])
        plain = coarse.pan - coarse.pan_low
        scaled = np.where(ratio[:, None], coarse.ms_low * plain / light, 0.0)
        return Moments.of(np.concatenate([coarse.ms - coarse.ms_low, plain, scaled]))

    bands = statistics.bands
    moments = reduce(add, map(details, statistics.coarse()))
    slopes = [moments.regress(b, [bands + b, 2 * bands + b], _RIDGE) for b in range(bands)]
    return _injection(
        bands,
        low=1.0,
        additive=tuple(float(slope[0]) for slope in slopes),
        relative=tuple(float(slope[1]) for slope in slopes),
        haze=tuple(shift.tolist()),
        floor=tuple(floor.tolist()),
    )


def _bdsd(statistics: Statistics) -> Injection:
    bands = statistics.bands

    def details(coarse: Coarse) -> Moments:
        return Moments.of(np.concatenate([coarse.ms - coarse.ms_low, coarse.ms_low, coarse.pan]))

    moments = reduce(add, map(details, statistics.coarse()))
    predictors = list(range(bands, 2 * bands))
    slopes = [
        moments.regress(band, [*predictors, 2 * bands + band], _RIDGE) for band in range(bands)
    ]
    fine = statistics.fine
    # Detail has mean zero: the constant takes the mean of the regression back out.
    constant = [
        slope[-1] * fine.mean[statistics.pan_channel] + slope[:-1] @ fine.mean[:bands]
        for slope in slopes
    ]
    return _injection(
        bands,
        pan=tuple(float(slope[-1]) for slope in slopes),
        mix=tuple(tuple((-slope[:-1]).tolist()) for slope in slopes),
        constant=tuple(float(value) for value in constant),
        additive=1.0,
    )


METHODS: Mapping[str, Callable[[Statistics], Injection]] = MappingProxyType(
    {
        "exp": _exp,
        "brovey": _brovey,
        "gsa": _gsa,
        "mtf-glp": _mtf_glp,
        "mtf-glp-fs": _mtf_glp_fs,
        "mtf-glp-hpm": _mtf_glp_hpm,
        "mtf-glp-reg": _mtf_glp_reg,
        "bdsd": _bdsd,
    }
)
"""How each method turns statistics of a scene into coefficients."""


def _injection(
    bands: int,
    *,
    pan: float | Vector = 1.0,
    low: float = 0.0,
    mix: tuple[Vector, ...] = (),
    constant: float | Vector = 0.0,
    additive: float | Vector = 0.0,
    relative: float | Vector = 0.0,
    haze: Vector | float = 0.0,
    floor: Vector | float = 1e-6,
) -> Injection:
    """Coefficients for all bands, from one value or one per band."""

    def each(value: float | Vector) -> Vector:
        return value if isinstance(value, tuple) else (value,) * bands

    return Injection(
        pan=each(pan),
        low=each(low),
        mix=mix,
        constant=each(constant),
        additive=each(additive),
        relative=each(relative),
        haze=each(haze),
        floor=each(floor),
    )


def _intensity(statistics: Statistics, *, nonnegative: bool) -> tuple[NDArray[np.float64], float]:
    """Weights (B,) and constant of the bands' sum that is nearest to the low-pass PAN."""
    fine, groups = statistics.fine, statistics.pyramid.optics.groups
    lows = [statistics.bands + group for group in range(len(groups))]
    chosen = list(range(statistics.bands))
    weights = np.zeros(statistics.bands)
    while chosen:
        slopes = np.mean([fine.regress(low, chosen) for low in lows], axis=0)
        if not nonnegative or slopes.min() >= 0:
            weights[chosen] = slopes
            break
        chosen.pop(int(slopes.argmin()))
    constant = fine.mean[lows].mean() - weights @ fine.mean[: statistics.bands]
    return weights, float(constant)


def _low_pass_gains(statistics: Statistics) -> Vector:
    """Slope of each enlarged band on its low-pass PAN."""
    covariance = statistics.fine.covariance
    low = [statistics.low_channel(band) for band in range(statistics.bands)]
    return _divide(
        covariance[range(statistics.bands), low], covariance[low, low], statistics.fine.mean[low]
    )


def _haze(statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """PAN offset (B,) at which each band would be dark, and least divisor (B,).

    On the regression line band = g·(L + haze): injecting by ratio to L + haze equals matching PAN
    to the band first. NaN where the line has no positive slope or the band no light.
    """
    means = statistics.fine.mean
    gains = np.array(_low_pass_gains(statistics))
    bands = means[: statistics.bands]
    low = means[[statistics.low_channel(band) for band in range(statistics.bands)]]
    usable = (gains > 0) & (bands > 0)
    light = np.divide(bands, gains, out=np.full(len(gains), np.nan), where=usable)
    return light - low, np.where(usable, _LEAST_SHARE * light, 1.0)


def _divide(
    above: NDArray[np.float64], below: NDArray[np.float64], mean: NDArray[np.float64]
) -> Vector:
    """Covariances over the variance of channels with these means; 0 where that is rounding."""
    usable = np.abs(below) > (FLAT * mean) ** 2
    quotient = np.divide(above, below, out=np.zeros_like(above), where=usable)
    return tuple(quotient.tolist())
