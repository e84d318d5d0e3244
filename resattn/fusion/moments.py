"""Means and co-moments of image channels, gathered window by window in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLAT = 1e-6
"""A channel that varies by less than this share of its mean is constant: float32 rounds there."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Statistics of C channels over `count` samples.

    Args:
        count: Number of samples.
        mean: (C,) means.
        scatter: (C, C) sums of products of deviations from the means.
    """

    count: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, samples: NDArray[np.floating]) -> Moments:
        """Statistics of `samples` (C, N)."""
        values = samples.astype(np.float64)
        if values.shape[1] == 0:
            return cls(0, np.zeros(len(values)), np.zeros((len(values), len(values))))
        mean = values.mean(axis=1)
        values -= mean[:, None]
        return cls(values.shape[1], mean, values @ values.T)

    def __add__(self, other: Moments) -> Moments:
        """Statistics of both sample sets together.

        Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979: deviations never meet raw squares, so 16-bit data keep 12 digits.
        """
        count = self.count + other.count
        if count == 0:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        scatter = self.scatter + other.scatter
        scatter = scatter + np.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, mean, scatter)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(C, C) covariances with divisor N."""
        return self.scatter / max(self.count, 1)

    def regress(
        self, target: int, predictors: list[int], ridge: float = 0.0
    ) -> NDArray[np.float64]:
        """Least-squares slopes of channel `target` on `predictors`.

        Args:
            target: Channel to explain.
            predictors: Channels to explain it by.
            ridge: Added to the diagonal of the predictors' correlation matrix: 1e-3 halves the
                weight of directions that carry less than a thousandth of the variance.
        """
        covariance = self.covariance
        spread = np.sqrt(np.diag(covariance)[predictors])
        live = spread > FLAT * np.abs(self.mean[predictors])
        scale = np.where(live, spread, 1.0)
        gram = covariance[np.ix_(predictors, predictors)] / np.outer(scale, scale)
        gram[~live] = gram[:, ~live] = 0.0
        moment = np.where(live, covariance[predictors, target] / scale, 0.0)
        gram += np.diag(np.where(live, ridge, 1.0))
        slopes: NDArray[np.float64] = np.linalg.lstsq(gram, moment, rcond=1e-10)[0] / scale
        return slopes
