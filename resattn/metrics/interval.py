"""How far the mean over a set of images can be trusted: bootstrap intervals.

Scores of images are skewed (one failed photograph among a hundred good ones), so the interval is
taken from resampled means, corrected for bias and skew, and need not lie evenly about the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000
_MANY = 2000
"""From so many values on the mean is normal to three digits, and resampling would only be slow."""

_NORMAL = NormalDist()
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where the mean of the population lies with 95 % confidence.

    Attributes:
        mean: Of the finite values; NaN without one.
        low: Lower end; NaN below two values.
        high: Upper end.
        count: Finite values.
    """

    mean: float
    low: float
    high: float
    count: int


def mean_interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """The mean of the finite values with its 95 % bootstrap interval (BCa, 2000 resamples).

    The same values give the same interval on every machine.

    Args:
        values: One score per image; NaN and infinity are left out and not counted.
        seed: Of the resampling.

    Example:
        >>> mean_interval([1.0, 1.0, 1.0])
        Interval(mean=1.0, low=1.0, high=1.0, count=3)

    Reference: Efron, "Better bootstrap confidence intervals", JASA 82(397), 1987.
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    nan = float("nan")
    if finite.size < 2:
        return Interval(float(finite[0]) if finite.size else nan, nan, nan, finite.size)
    mean = float(finite.mean())
    if np.ptp(finite) == 0:
        return Interval(mean, mean, mean, finite.size)
    low, high = _normal(finite) if finite.size >= _MANY else _bootstrap(finite, seed)
    return Interval(mean, low, high, finite.size)


def _normal(values: Array) -> tuple[float, float]:
    reach = _NORMAL.inv_cdf((1 + LEVEL) / 2) * values.std(ddof=1) / values.size**0.5
    return float(values.mean() - reach), float(values.mean() + reach)


def _bootstrap(values: Array, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    means = values[generator.integers(0, values.size, (RESAMPLES, values.size))].mean(axis=1)
    mean = values.mean()
    ties = np.count_nonzero(means == mean) / 2  # few values meet their own mean often
    below = np.count_nonzero(means < mean) + ties
    bias = _NORMAL.inv_cdf((below + 0.5) / (RESAMPLES + 1))
    # The jackknife's acceleration, which for a mean needs no jackknife.
    away = values - mean
    skew = float((away**3).sum() / (6 * (away**2).sum() ** 1.5))
    ends = []
    for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        moved = bias + _NORMAL.inv_cdf(share)
        ends.append(_NORMAL.cdf(bias + moved / (1 - skew * moved)))
    low, high = np.quantile(means, ends)
    return float(low), float(high)
