"""MS-SSIM: structure at five scales, brightness at the coarsest."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from resattn.metrics.pair import Array, pair

_WEIGHTS: Final = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
_WINDOW: Final = 11
_SIGMA: Final = 1.5
_K1, _K2 = 0.01, 0.03
LEAST_SIDE: Final = (_WINDOW - 1) * 2 ** (len(_WEIGHTS) - 1) + 1


def ms_ssim(estimate: ArrayLike, reference: ArrayLike, *, peak: float) -> float:
    """Multi-scale structural similarity, mean over bands; 1 for equal images.

    Gaussian window of 11 × 11 with deviation 1.5 where it fits, each scale the mean of 2 × 2 pixels
    of the one before (zeros beyond odd borders), negative structure counted as zero: as
    pytorch-msssim, which the codec literature uses. NaN below `LEAST_SIDE` pixels.

    Args:
        estimate: Image to judge, (B, H, W).
        reference: True image, same shape.
        peak: Range of the data: 255, 65535, 1 for fractions.

    Raises:
        ValueError: If shapes differ, values are not finite or `peak` is not positive.

    Example:
        >>> image = np.arange(161.0 * 161).reshape(1, 161, 161) % 255
        >>> ms_ssim(image, image, peak=255)
        1.0

    Reference: Wang, Simoncelli, Bovik, Asilomar 2003, eq. 7.
    """
    if peak <= 0:
        raise ValueError(f"peak must be positive, got {peak}")
    data = pair(estimate, reference)
    if min(data.reference.shape[1:]) < LEAST_SIDE:
        return float("nan")
    scores = [
        _band(first, second, peak)
        for first, second in zip(data.estimate, data.reference, strict=True)
    ]
    return float(np.mean(scores))


def _band(first: Array, second: Array, peak: float) -> float:
    factors = []
    for scale in range(len(_WEIGHTS)):
        similarity, structure = _terms(first, second, peak)
        last = scale == len(_WEIGHTS) - 1
        factors.append(max(float((similarity if last else structure).mean()), 0.0))
        first, second = _halved(first), _halved(second)
    return float(np.prod(np.array(factors) ** _WEIGHTS))


def _terms(first: Array, second: Array, peak: float) -> tuple[Array, Array]:
    """Similarity, and its part that is contrast and structure, at every pixel."""
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    mean1, mean2 = _blur(first), _blur(second)
    spread = _blur(first * first) - mean1**2 + _blur(second * second) - mean2**2
    shared = _blur(first * second) - mean1 * mean2
    structure = (2 * shared + c2) / (spread + c2)
    brightness = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    return brightness * structure, structure


def _blur(image: Array) -> Array:
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    half = _WINDOW // 2
    for axis in (0, 1):
        image = ndimage.correlate1d(image, kernel, axis)
    inner: Array = image[half:-half, half:-half]
    return inner


def _halved(image: Array) -> Array:
    """Means of 2 × 2 pixels; an odd side gets a line of zeros before it and one after."""
    margins = [(length % 2, length % 2) for length in image.shape]
    padded = np.pad(image, margins)
    rows, cols = (length // 2 for length in padded.shape)
    cells = padded[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2)
    means: Array = cells.mean(axis=(1, 3))
    return means
