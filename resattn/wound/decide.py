"""From probabilities to a mask, and how sure its area is: every constant is set on training folds.

`Decision` travels with the weights, because it belongs to the probabilities of one network.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from resattn.metrics.overlap import dice
from resattn.metrics.pair import Array, Mask
from resattn.models.wound_unet import Decision

_TOUCHING = np.ones((3, 3), dtype=np.bool_)
_THRESHOLDS = np.round(np.arange(0.2, 0.81, 0.05), 2)
_PEAKS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95)
_LADDER = [step / 10 for step in range(121)]  # offsets in logits; beyond 12 nothing changes


def decide(probability: Array, decision: Decision) -> Mask:
    """The mask (H, W) of a probability map: thresholded, doubtful regions dropped, holes filled.

    A photograph in which no region is both large and certain enough has an empty mask.
    """
    mask: Mask = probability >= decision.threshold
    if not mask.any():
        return mask
    box = _box(mask)  # of twelve megapixels a wound has one
    part = mask[box]
    labels, count = ndimage.label(part, structure=_TOUCHING)
    numbers = np.arange(1, count + 1)
    areas = ndimage.sum_labels(part, labels, numbers)
    peaks = ndimage.maximum(probability[box], labels, numbers)
    least = decision.least_area * max(mask.shape) ** 2
    keep = np.concatenate([[False], (areas >= least) & (peaks >= decision.least_peak)])
    mask[box] = _filled(keep[labels])
    return mask


def area_masks(probability: Array, decision: Decision) -> tuple[Mask, Mask]:
    """The smallest and the largest mask that a 90 % interval of the area reaches to.

    The threshold is moved down and up on the scale of logits by an offset for which, on training
    folds, nine true areas of ten lay between the two (split conformal prediction).
    """
    logit = np.log(decision.threshold / (1 - decision.threshold))
    small, large = (
        replace(decision, threshold=float(1 / (1 + np.exp(-(logit + sign * decision.offset)))))
        for sign in (1, -1)
    )
    return decide(probability, small), decide(probability, large)


def calibrate(
    probabilities: Sequence[Array], masks: Sequence[Mask], coverage: float = 0.9
) -> Decision:
    """The decision with the best mean Dice on these photographs, and the offset that covers.

    Use photographs the network has not learnt from, and none that a result will be reported on.

    Args:
        probabilities: Maps (H, W).
        masks: True masks of the same photographs.
        coverage: Share of the true areas that the interval shall contain.
    """
    options = [
        Decision(threshold=float(threshold), least_peak=peak)
        for threshold in _THRESHOLDS
        for peak in _PEAKS
        if peak == 0 or peak > threshold
    ]
    pairs = list(zip(probabilities, masks, strict=True))
    scores = [float(np.mean([dice(decide(p, o), m) for p, m in pairs])) for o in options]
    best = options[int(np.argmax(scores))]
    needed = sorted(_needed_offset(p, m, best) for p, m in pairs)
    # The finite-sample quantile of conformal prediction: n + 1 in place of n.
    rank = min(int(np.ceil(coverage * (len(needed) + 1))), len(needed))
    return replace(best, offset=needed[rank - 1])


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _filled(mask: Mask) -> Mask:
    """The mask with all background that its border does not reach (four neighbours)."""
    labels, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))
    filled: Mask = labels[1:-1, 1:-1] != labels[0, 0]
    return filled


def _needed_offset(probability: Array, mask: Mask, decision: Decision) -> float:
    """The least offset, of a ladder, whose interval holds the true area."""
    true = np.count_nonzero(mask)

    def holds(offset: float) -> bool:
        small, large = area_masks(probability, replace(decision, offset=offset))
        return bool(np.count_nonzero(small) <= true <= np.count_nonzero(large))

    step = bisect.bisect_left(_LADDER, True, key=holds)  # the intervals are nested
    return _LADDER[min(step, len(_LADDER) - 1)]
