"""Fused bands corrected until the camera model returns the MS samples they were made from.

Adding the enlarged residual over and over, f ← f + U(m − A·f) with A the reduction and U the
enlargement, converges to A·f = m (iterative back-projection: Irani and Peleg, "Improving
resolution by image registration", CVGIP 53(3), 1991). Every iterate is f₀ + U·c, so the iteration
runs on the small MS grid: r₀ = m − A·f₀, then c ← c + ω(r₀ − K·c) with K = A·U, and PAN
resolution is touched once, whatever the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from resattn.fusion.pyramid import Pyramid, union
from resattn.fusion.taps import Image, Mask
from resattn.tiling import Window

REACH = 4
"""MS samples on either side that count in K; the rest weighs less than 0.1 % of a sample."""

_SPECTRUM = (0.07, 1.0)
"""Eigenvalues of K that the steps are tuned to: those of gain 0.3 at any ratio."""

Guess = Callable[[Window], tuple[Image, Mask]]


def step_sizes(steps: int) -> tuple[float, ...]:
    """ω of each step: reciprocal Chebyshev nodes, the fastest fixed choice on `_SPECTRUM`."""
    least, most = _SPECTRUM
    nodes = (math.cos(math.pi * (2 * k + 1) / (2 * steps)) for k in range(steps))
    return tuple(2.0 / (most + least + (most - least) * node) for node in nodes)


def consistent(pyramid: Pyramid, guess: Guess, window: Window, steps: int) -> tuple[Image, Mask]:
    """The fused bands of a PAN window after `steps` corrections, and their validity.

    Args:
        pyramid: Scene and optics.
        guess: Gives the uncorrected bands (B, H, W) and validity of any PAN window.
        window: PAN pixels wanted.
        steps: Corrections; 4 leave about a tenth of the residual, 0 returns the guess.
    """
    if steps == 0:
        return guess(window)
    covers = [pyramid.ms_cover(window)]
    for _ in range(steps - 1):
        covers.append(pyramid.clip_ms(covers[-1].grown(REACH)))
    widest = covers[-1]
    span = union([pyramid.pan_cover(widest), window])
    fused, valid = guess(span)
    residual = pyramid.residual(fused, valid, span, widest)
    correction = np.float32(step_sizes(steps)[0]) * residual
    for size, inner, outer in zip(
        step_sizes(steps)[1:], covers[-2::-1], covers[:0:-1], strict=True
    ):
        part = (slice(None), *inner.relative_to(outer).slices)
        known = (slice(None), *inner.relative_to(widest).slices)
        left = residual[known] - pyramid.there_and_back(correction, outer, inner, REACH)
        correction = correction[part] + np.float32(size) * left
    inside = window.relative_to(span).slices
    fused, valid = fused[:, *inside], valid[inside]
    fused = fused + pyramid.enlarge(correction, covers[0], window, pyramid.optics.shifts)
    return np.where(valid, fused, np.float32(0)), valid
