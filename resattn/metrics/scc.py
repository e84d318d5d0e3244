"""SCC: how well the edges of two images agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.local import untouched
from resattn.metrics.pair import Array, pair


def scc(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Spatial correlation coefficient: one correlation of all edge strengths; 1 is perfect.

    Edge strength is the Sobel gradient magnitude of each band, on the image less its outermost
    pixels, zero outside, as the Pansharpening Toolbox has it. The step from zero is an edge too:
    on small images it lifts the value. Libraries that filter with a Laplacian and correlate
    locally give other numbers under the same name. Pixels with an invalid pixel under the filter
    do not count; NaN where no edge is left, and below 3×3 pixels.

    Args:
        estimate: Image to judge, (B, H, W).
        reference: True image, same shape.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or values are not finite.

    Reference: Zhou, Civco and Silander, IJRS 19(4), 1998; Vivone et al., IEEE GRSM 9(1), 2021.
    """
    return _compute(_update(estimate, reference, valid))


def _update(estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None) -> Array:
    """Sums of the products estimate·reference, estimate², reference²; (3,)."""
    data = pair(estimate, reference, valid)
    inner = slice(1, -1), slice(1, -1)
    counted = untouched(data.valid[inner], 1, 1)
    sums = np.zeros(3)
    for first, second in zip(data.estimate, data.reference, strict=True):
        strengths = [_sobel(band[inner])[counted] for band in (first, second)]
        sums += [
            strengths[0] @ strengths[1],
            strengths[0] @ strengths[0],
            strengths[1] @ strengths[1],
        ]
    return sums


def _compute(sums: Array) -> float:
    product, first, second = sums
    scale = np.sqrt(first) * np.sqrt(second)
    return float(product / scale) if scale else float("nan")


def _sobel(band: Array) -> Array:
    """Gradient magnitude of (H, W) by the 3×3 Sobel filters, zero outside the image."""
    padded = np.pad(band, 1)
    down = padded[2:] - padded[:-2]
    across = padded[:, 2:] - padded[:, :-2]
    vertical = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    horizontal = across[:-2] + 2 * across[1:-1] + across[2:]
    return np.asarray(np.hypot(vertical, horizontal))
