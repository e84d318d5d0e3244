"""What every comparison of masks starts from: two binary images on one grid, and the empty rule.

The empty rule, stated once for all scores here: where neither mask has a pixel the result is
perfect, because a photograph without a wound was recognised as such; where only one has, the
score is the worst there is. Averages over photographs count such photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.pair import Mask


@dataclass(frozen=True, slots=True)
class MaskPair:
    """Two masks (H, W), False wherever a pixel does not count."""

    estimate: Mask
    reference: Mask
    valid: Mask


def mask_pair(
    estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None = None
) -> MaskPair:
    """The two masks checked against each other; any value but zero is True.

    Args:
        estimate: Mask to judge, (H, W).
        reference: Mask to judge against, same shape.
        valid: Pixels that count, (H, W); all where absent.

    Raises:
        ValueError: If a mask has not two axes or the shapes differ.
    """
    first, second = _binary(estimate, "estimate"), _binary(reference, "reference")
    if first.shape != second.shape:
        raise ValueError(f"estimate has shape {first.shape}, reference {second.shape}")
    counted = np.ones(first.shape, dtype=np.bool_) if valid is None else _binary(valid, "valid")
    if counted.shape != first.shape:
        raise ValueError(f"valid has shape {counted.shape}, the masks {first.shape}")
    return MaskPair(first & counted, second & counted, counted)


def _binary(values: ArrayLike, role: str) -> Mask:
    array = np.asarray(values)
    if array.ndim != 2:
        raise ValueError(f"{role} must be a mask (H, W), got shape {array.shape}")
    binary: Mask = array != 0
    return binary
