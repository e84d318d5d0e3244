"""Why a photograph may not be fit for measuring: blur, exposure, a wound cut off by the border."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from scipy import ndimage

from resattn.metrics.pair import Array, Mask
from resattn.wound.photo import Rgb

Flag = Literal["no_wound", "touches_border", "blurred", "dark", "overexposed", "low_confidence"]

_SHARP: Final = 12.0  # 2 % of FUSeg lie below, 50 % after a blur of 3 pixels (2026-11)
_DARK: Final = 40.0
_CLIPPED_SHARE: Final = 0.05
_LEAST_CONFIDENCE: Final = 0.7
_AROUND: Final = 0.25
_WIDE: Final = 512


def flags(photo: Rgb, mask: Mask, confidence: float) -> list[Flag]:
    """What is wrong with a photograph (3, H, W), judged in and around the wound (H, W).

    Black bars at the border of the photograph count as outside it.
    """
    found: list[Flag] = []
    shown = _shown(photo)
    if not mask.any():
        found.append("no_wound")
    elif (mask & _rim(shown)).any():
        found.append("touches_border")
    place = _surroundings(mask if mask.any() else shown)
    part, inside = photo[:, *place].astype(np.float64), shown[place]
    grey = part.mean(0)
    if sharpness(grey, max(photo.shape[1:])) < _SHARP:
        found.append("blurred")
    if inside.any() and float(np.median(grey[inside])) < _DARK:
        found.append("dark")
    elif float(np.mean(part.min(0) >= 250)) > _CLIPPED_SHARE:
        found.append("overexposed")
    if confidence < _LEAST_CONFIDENCE:
        found.append("low_confidence")
    return found


def sharpness(grey: Array, side: int) -> float:
    """The steepest 1 % of slopes of a part (h, w), 0 to 255, per pixel of a photograph 512 wide.

    Args:
        grey: Part of the photograph.
        side: Longer side of the whole photograph.
    """
    factor = max(side / _WIDE, 1.0)
    smooth = ndimage.gaussian_filter(grey, 0.5 * factor)
    slope = factor * np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)) / 8
    return float(np.percentile(slope, 99))


def _shown(photo: Rgb) -> Mask:
    """Everything but black bars: the box of the rows and columns that are not all black."""
    bright = photo.max(0) > 8
    shown: Mask = np.logical_and.outer(bright.any(1), bright.any(0))
    return shown


def _rim(shown: Mask) -> Mask:
    rim: Mask = shown & ~ndimage.binary_erosion(shown, np.ones((3, 3)), border_value=0)
    return rim


def _surroundings(mask: Mask) -> tuple[slice, slice]:
    """The box of the mask and a quarter of its size around it."""
    spans = []
    for axis, size in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(1 - axis)) if mask.any() else np.array([0, size - 1])
        margin = int(_AROUND * (used[-1] - used[0] + 1)) + 1
        spans.append(slice(max(used[0] - margin, 0), min(used[-1] + 1 + margin, size)))
    return spans[0], spans[1]
