"""How far two masks cover each other: Dice, IoU, precision, recall, specificity, area error.

All are ratios of four pixel counts. Over a set of photographs each exists twice: the mean of the
values per photograph, and the value of the summed counts (`running_*`, called "pooled"). The two
differ by points on the same masks, so a report names which one it gives. The empty rule is that
of `resattn.metrics.masks`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.masks import mask_pair
from resattn.metrics.pair import Array
from resattn.metrics.running import Running

Pooled = Running[[ArrayLike, ArrayLike, ArrayLike | None]]


def dice(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Twice the common area over the sum of both areas; 1 is perfect.

    Args:
        estimate: Mask to judge, (H, W).
        reference: True mask, same shape.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or are not (H, W).

    Example:
        >>> dice([[1, 1, 0]], [[0, 1, 1]])
        0.5

    Reference: Dice, Ecology 26, 1945.
    """
    return _dice(_counts(estimate, reference, valid))


def iou(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Common area over the area of the union; arguments as `dice`, 1 is perfect.

    Reference: Jaccard, New Phytologist 11, 1912.
    """
    return _iou(_counts(estimate, reference, valid))


def precision(
    estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None
) -> float:
    """Share of the marked pixels that are right; arguments as `dice`."""
    return _precision(_counts(estimate, reference, valid))


def recall(estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Share of the true pixels that are marked; arguments as `dice`."""
    return _recall(_counts(estimate, reference, valid))


def specificity(
    estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None
) -> float:
    """Share of the background that is left unmarked; 1 where there is no background."""
    return _specificity(_counts(estimate, reference, valid))


def area_error(
    estimate: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None
) -> float:
    """Difference of the areas in percent of the true area, without sign; arguments as `dice`.

    Infinite where only the reference is empty, 0 where both are.

    Example:
        >>> area_error([[1, 1, 1]], [[1, 1, 0]])
        50.0
    """
    return _area_error(_counts(estimate, reference, valid))


def running_dice() -> Pooled:
    """`dice` of the counts summed over photographs, or over the windows of one."""
    return _running(_dice)


def running_iou() -> Pooled:
    """`iou` of summed counts."""
    return _running(_iou)


def running_precision() -> Pooled:
    """`precision` of summed counts."""
    return _running(_precision)


def running_recall() -> Pooled:
    """`recall` of summed counts."""
    return _running(_recall)


def running_specificity() -> Pooled:
    """`specificity` of summed counts."""
    return _running(_specificity)


def _running(score: Callable[[Array], float]) -> Pooled:
    return Running(_counts, score)


def _counts(estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None = None) -> Array:
    """Pixels that are rightly marked, wrongly marked, missed, rightly left; (4,)."""
    data = mask_pair(estimate, reference, valid)
    both = np.count_nonzero(data.estimate & data.reference)
    marked = np.count_nonzero(data.estimate)
    true = np.count_nonzero(data.reference)
    rest = np.count_nonzero(data.valid) - marked - true + both
    return np.array([both, marked - both, true - both, rest], dtype=np.float64)


def _ratio(part: float, whole: float, otherwise: float) -> float:
    return float(part / whole) if whole else otherwise


def _dice(counts: Array) -> float:
    hit, false, missed, _ = counts
    return _ratio(2 * hit, 2 * hit + false + missed, 1.0)


def _iou(counts: Array) -> float:
    hit, false, missed, _ = counts
    return _ratio(hit, hit + false + missed, 1.0)


def _precision(counts: Array) -> float:
    hit, false, missed, _ = counts
    return _ratio(hit, hit + false, 0.0 if missed else 1.0)


def _recall(counts: Array) -> float:
    hit, false, missed, _ = counts
    return _ratio(hit, hit + missed, 0.0 if false else 1.0)


def _specificity(counts: Array) -> float:
    _, false, _, rest = counts
    return _ratio(rest, rest + false, 1.0)


def _area_error(counts: Array) -> float:
    hit, false, missed, _ = counts
    true = hit + missed
    return float(100 * abs(false - missed) / true) if true else float("inf") if false else 0.0
