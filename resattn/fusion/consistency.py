"""Fused bands corrected until the camera model returns the MS samples they were made from.

Adding the enlarged residual over and over, f ← f + U(m − A·f) with A the reduction and U the
enlargement, converges to A·f = m (iterative back-projection: Irani and Peleg, "Improving
resolution by image registration", CVGIP 53(3), 1991). Every iterate is f₀ + U·c, so the iteration
runs on the small MS grid, with K = A·U and r₀ = m − A·f₀, and PAN resolution is touched once.

Full consistency trusts the camera model and the registration completely, and what they get wrong
ends up as texture that PAN does not have. `strength` s weighs it: (K + μ)·c = r₀ with
μ = (1 − s)/s leaves the share 1 − s of a smooth residual and more of a fine one.
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

STEPS = 4
"""Corrections made: with full strength they leave about a sixth of the residual."""

_SPECTRUM = (0.07, 1.0)
"""Eigenvalues of K that the steps are tuned to: those of gain 0.3 at any ratio."""

Guess = Callable[[Window], tuple[Image, Mask]]


def step_sizes(damping: float, steps: int = STEPS) -> tuple[float, ...]:
    """Size of each step for K + damping: reciprocal Chebyshev nodes, the fastest fixed choice."""
    least, most = (value + damping for value in _SPECTRUM)
    nodes = (math.cos(math.pi * (2 * k + 1) / (2 * steps)) for k in range(steps))
    return tuple(2.0 / (most + least + (most - least) * node) for node in nodes)


def consistent(
    pyramid: Pyramid, guess: Guess, window: Window, strength: float
) -> tuple[Image, Mask]:
    """The fused bands of a PAN window after correction, 0 where invalid, and their validity.

    Args:
        pyramid: Scene and optics.
        guess: Gives the uncorrected bands (B, H, W) and validity of any PAN window.
        window: PAN pixels wanted.
        strength: 0 returns the guess, 1 makes the camera model return the MS samples.
    """
    if strength == 0:
        return guess(window)
    damping = (1.0 - strength) / strength
    covers = [pyramid.interpolated(window)]
    for _ in range(STEPS - 1):
        covers.append(pyramid.clip_ms(covers[-1].grown(REACH)))
    widest = covers[-1]
    span = union([pyramid.pan_cover(widest), window])
    fused, valid = guess(span)
    residual = pyramid.residual(fused, valid, span, widest)
    first, *others = (np.float32(size) for size in step_sizes(damping))
    correction = first * residual
    for size, inner, outer in zip(others, covers[-2::-1], covers[:0:-1], strict=True):
        kept = correction[:, *inner.relative_to(outer).slices]
        left = residual[:, *inner.relative_to(widest).slices] - np.float32(damping) * kept
        left -= pyramid.there_and_back(correction, outer, inner, REACH)
        correction = kept + size * left
    inside = window.relative_to(span).slices
    fused, valid = fused[:, *inside], valid[inside]
    fused = fused + pyramid.enlarge(correction, covers[0], window, pyramid.optics.shifts)
    return np.where(valid, fused, np.float32(0)), valid
