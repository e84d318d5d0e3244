"""Where a fused image puts its colours, against where the georeference says MS has them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resattn.metrics.consistency import observe
from resattn.metrics.observe import Observer

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STEPS = np.arange(-4, 5) / 2


class Inputs(Protocol):
    """What the shift is measured against."""

    @property
    def ms(self) -> Array:
        """(B, h, w)."""

    @property
    def ms_valid(self) -> Mask:
        """(h, w)."""

    @property
    def observer(self) -> Observer:
        """Grids and gains."""


def colour_shift(
    fused: Array, valid: Mask, inputs: Inputs, *, registered: bool = False
) -> tuple[float, float]:
    """(dy, dx) in PAN pixels, in steps of a half, by which the fused colours lie off MS.

    MS is taken to lie where the georeference has it or, `registered`, where it was measured to lie
    on PAN: a method that corrects the residual shift moves the colours from the one to the other.

    The fused image is reduced to the MS samples at each of 9×9 shifts; the shift at which the
    share of each band in the sum of bands correlates best with that of MS is the answer. A
    product that honours the georeference has 0, 0.
    """
    observer, known = inputs.observer, np.where(valid, fused, 0.0)
    start = observer.shifts if registered else ((0.0, 0.0),) * len(observer.gains)
    scores = np.empty((len(_STEPS), len(_STEPS)))
    for i, dy in enumerate(_STEPS):
        for j, dx in enumerate(_STEPS):
            trial = tuple((y + float(dy), x + float(dx)) for y, x in start)
            moved = Observer(observer.grid, observer.gains, trial)
            seen, trusted = observe(known, moved, valid=valid, ms_valid=inputs.ms_valid)
            scores[i, j] = _agreement(seen, inputs.ms, trusted)
    row, col = np.unravel_index(scores.argmax(), scores.shape)
    return float(_STEPS[row]), float(_STEPS[col])


def _agreement(seen: Array, ms: Array, counted: Mask) -> float:
    """Mean over bands of the correlation of shares."""
    counted = counted & (seen.sum(axis=0) > 0) & (ms.sum(axis=0) > 0)
    ours = seen[:, counted] / seen[:, counted].sum(axis=0)
    theirs = ms[:, counted] / ms[:, counted].sum(axis=0)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(ours, theirs, strict=True)]))
