"""PSNR and SSIM of luma, the two numbers every super-resolution paper prints.

Both follow the published evaluation scripts: BT.601 luma in 16..235, not rounded to integers, a
border of `scale` pixels left out, SSIM with an 11 × 11 Gaussian window at the pixels it fits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.pair import Array, pair

_OFFSET = 16.0
_RED, _GREEN, _BLUE = 65.481 / 255, 128.553 / 255, 24.966 / 255
_PEAK = 255.0
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2


def luma(image: ArrayLike) -> Array:
    """Luma (H, W) in 16..235 of an RGB image (3, H, W) in 0..255 (ITU-R BT.601).

    A single band, (1, H, W) or (H, W), is grey: its luma is that of three equal bands.

    Raises:
        ValueError: If the image has neither one nor three bands.
    """
    bands = np.asarray(image, dtype=np.float64)
    bands = bands[None] if bands.ndim == 2 else bands
    if bands.shape[0] not in (1, 3):
        raise ValueError(f"luma needs 1 or 3 bands, got {bands.shape[0]}")
    red, green, blue = bands if bands.shape[0] == 3 else (bands[0],) * 3
    result: Array = _OFFSET + _RED * red + _GREEN * green + _BLUE * blue
    return result


def psnr_y(estimate: ArrayLike, reference: ArrayLike, *, border: int = 0) -> float:
    """Peak signal-to-noise ratio of luma in dB; infinite for equal images.

    Args:
        estimate: Image to judge, (3, H, W) in 0..255.
        reference: True image, same shape.
        border: Pixels left out at each edge; by custom the scale factor.

    Raises:
        ValueError: If shapes differ, values are not finite or the border leaves nothing.

    Example:
        >>> psnr_y(np.zeros((3, 8, 8)), np.full((3, 8, 8), 255.0))
        1.3201891640703416
    """
    first, second = _inner(estimate, reference, border)
    error = float(np.square(first - second).mean())
    return math.inf if error == 0 else 10 * math.log10(_PEAK**2 / error)


def ssim_y(estimate: ArrayLike, reference: ArrayLike, *, border: int = 0) -> float:
    """Structural similarity of luma, 1 for equal images; NaN below 11 × 11 pixels.

    Args:
        estimate: Image to judge, (3, H, W) in 0..255.
        reference: True image, same shape.
        border: Pixels left out at each edge; by custom the scale factor.

    Raises:
        ValueError: If shapes differ, values are not finite or the border leaves nothing.

    Reference: Wang et al., IEEE TIP 13(4), 2004, eq. 13.
    """
    first, second = _inner(estimate, reference, border)
    if min(first.shape) < _WINDOW:
        return float("nan")
    mean1, mean2 = _blur(first), _blur(second)
    var1 = _blur(first * first) - mean1 * mean1
    var2 = _blur(second * second) - mean2 * mean2
    cov = _blur(first * second) - mean1 * mean2
    similarity = (2 * mean1 * mean2 + _C1) * (2 * cov + _C2)
    similarity /= (mean1**2 + mean2**2 + _C1) * (var1 + var2 + _C2)
    return float(similarity.mean())


def _inner(estimate: ArrayLike, reference: ArrayLike, border: int) -> tuple[Array, Array]:
    """Both lumas without their border."""
    data = pair(estimate, reference)
    height, width = data.reference.shape[-2:]
    if border < 0 or 2 * border >= min(height, width):
        raise ValueError(f"a border of {border} leaves nothing of {height} x {width} pixels")
    inner = slice(border, height - border), slice(border, width - border)
    return luma(data.estimate)[inner], luma(data.reference)[inner]


def _blur(image: Array) -> Array:
    """Gaussian mean over the window, where the window fits."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        length = image.shape[axis] - _WINDOW + 1
        image = sum(
            weight * np.take(image, range(tap, tap + length), axis)
            for tap, weight in enumerate(kernel)
        )
    return image
