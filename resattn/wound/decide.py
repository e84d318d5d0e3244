"""From probabilities to a mask, and how sure its area is: every constant is set on training folds.

`Decision` travels with the weights, because it belongs to the probabilities of one network.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from resattn.metrics.pair import Array, Mask
from resattn.models.wound_unet import Decision

_TOUCHING = np.ones((3, 3), dtype=np.bool_)
_THRESHOLDS = np.round(np.arange(0.2, 0.81, 0.05), 2)
_PEAKS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95)
_MEANS = (0.0, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
_LADDER = [step / 10 for step in range(121)]  # offsets in logits; beyond 12 nothing changes

Counts = NDArray[np.int64]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Regions:
    """The connected regions of a photograph above a threshold, in order of their numbers.

    Attributes:
        numbers: Number of the region each pixel (H, W) belongs to, 0 for none.
        areas: Pixels of each.
        peaks: Highest probability in each.
        means: Mean probability of each.
    """

    numbers: Numbers
    areas: Counts
    peaks: Array
    means: Array

    def kept(self, decision: Decision) -> Mask:
        """Which of them are large and certain enough."""
        least = decision.least_area * max(self.numbers.shape) ** 2
        kept: Mask = (
            (self.areas >= least)
            & (self.peaks >= decision.least_peak)
            & (self.means >= decision.least_mean)
        )
        return kept


def decide(probability: Array, decision: Decision) -> Mask:
    """The mask (H, W) of a probability map: thresholded, doubtful regions dropped, holes filled.

    A photograph in which no region is both large and certain enough has an empty mask.
    """
    return _filled(_found(probability, decision))


def area_masks(probability: Array, decision: Decision) -> tuple[Mask, Mask]:
    """The smallest and the largest mask that a 90 % interval of the area reaches to.

    The threshold is moved up and down on the scale of logits by an offset for which, on training
    folds, nine true areas of ten lay between the two (split conformal prediction). It moves the
    outlines only: which regions are wounds is decided once, at the threshold itself.
    """
    logit = np.log(decision.threshold / (1 - decision.threshold))
    upper, lower = (1 / (1 + np.exp(-(logit + sign * decision.offset))) for sign in (1, -1))
    found = _found(probability, decision)
    if not found.any():
        return found, found
    wide: Mask = probability >= lower
    box = _box(wide)
    numbers, count = ndimage.label(wide[box], structure=_TOUCHING)
    reached = np.zeros(count + 1, dtype=np.bool_)
    reached[numbers[found[box]]] = True
    wide[box] = reached[numbers]
    return _filled(found & (probability >= upper)), _filled(wide)


def calibrate(
    probabilities: Sequence[Array],
    masks: Sequence[Mask],
    coverage: float = 0.9,
    rule: Decision | None = None,
) -> Decision:
    """The decision with the best mean Dice on these photographs, and the offset that covers.

    Holes are left open while decisions are compared. Use photographs the network has not learnt
    from, and none that a result will be reported on.

    Args:
        probabilities: Maps (H, W).
        masks: True masks of the same photographs.
        coverage: Share of the true areas that the interval shall contain.
        rule: Its least peak and mean are kept; for photographs of which none is empty, which
            cannot say when to find nothing.
    """
    pairs = list(zip(probabilities, masks, strict=True))
    rules = [(rule.least_peak, rule.least_mean)] if rule else list(product(_PEAKS, _MEANS))
    best, highest = Decision(), -1.0
    for threshold in map(float, _THRESHOLDS):
        found = [(_regions(p, threshold), m) for p, m in pairs]
        counted = [
            (r, _counted(r.numbers[m], len(r.areas)), int(np.count_nonzero(m))) for r, m in found
        ]
        for peak, mean in rules:
            option = Decision(threshold=threshold, least_peak=peak, least_mean=mean)
            score = float(np.mean([_dice(r.kept(option), r, h, true) for r, h, true in counted]))
            if score > highest:
                best, highest = option, score
    needed = sorted(_needed_offset(p, m, best) for p, m in pairs)
    # The finite-sample quantile of conformal prediction: n + 1 in place of n.
    rank = min(int(np.ceil(coverage * (len(needed) + 1))), len(needed))
    return replace(best, offset=needed[rank - 1])


def _found(probability: Array, decision: Decision) -> Mask:
    """The regions (H, W) that are wounds, their holes open."""
    regions = _regions(probability, decision.threshold)
    mask: Mask = np.concatenate([[False], regions.kept(decision)])[regions.numbers]
    return mask


def _regions(probability: Array, threshold: float) -> Regions:
    above: Mask = probability >= threshold
    numbers = np.zeros(above.shape, dtype=np.int32)
    if not above.any():
        none = np.zeros(0)
        return Regions(numbers, np.zeros(0, np.int64), none, none)
    box = _box(above)  # of twelve megapixels a wound has one
    numbers[box], count = ndimage.label(above[box], structure=_TOUCHING)
    pixels, values = numbers[box], probability[box]
    areas = _counted(pixels, count)
    peaks = ndimage.maximum(values, pixels, np.arange(1, count + 1))
    sums = np.bincount(pixels.ravel(), values.ravel(), minlength=count + 1)[1:]
    return Regions(numbers, areas, np.asarray(peaks), sums / areas)


def _counted(numbers: Numbers, count: int) -> Counts:
    """How often each number from 1 to `count` occurs."""
    return np.asarray(np.bincount(numbers.ravel(), minlength=count + 1)[1:], np.int64)


def _dice(kept: Mask, regions: Regions, hits: Counts, true: int) -> float:
    total = regions.areas[kept].sum() + true
    return float(2 * hits[kept].sum() / total) if total else 1.0


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _filled(mask: Mask) -> Mask:
    """The mask with all background that its border does not reach (four neighbours)."""
    if not mask.any():
        return mask
    box, filled = _box(mask), mask.copy()
    numbers, _ = ndimage.label(np.pad(~mask[box], 1, constant_values=True))
    filled[box] = numbers[1:-1, 1:-1] != numbers[0, 0]
    return filled


def _needed_offset(probability: Array, mask: Mask, decision: Decision) -> float:
    """The least offset, of a ladder, whose interval holds the true area."""
    true = np.count_nonzero(mask)

    def holds(offset: float) -> bool:
        small, large = area_masks(probability, replace(decision, offset=offset))
        return bool(np.count_nonzero(small) <= true <= np.count_nonzero(large))

    step = bisect.bisect_left(_LADDER, True, key=holds)  # the intervals are nested
    return _LADDER[min(step, len(_LADDER) - 1)]
