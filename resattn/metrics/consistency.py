"""R-ERGAS, R-SAM, R-Q2n: does the fused image, seen by the MS camera, give the MS image back?

These need no truth and are the primary scores at full resolution, together with `d_rho`: alone,
each of the two sides can be won by a useless image (the enlarged MS here, PAN copied there).
Unregistered bands are compared after moving the observation by the measured shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.ergas import ergas
from resattn.metrics.observe import Observer
from resattn.metrics.pair import Array, Mask, image
from resattn.metrics.q2n import q2n
from resattn.metrics.sam import sam
from resattn.tiling import Window


def r_ergas(observed: ArrayLike, ms: ArrayLike, *, ratio: float, valid: ArrayLike) -> float:
    """`ergas` of the observation against the MS samples, in percent; 0 is perfect.

    Args:
        observed: First result of `observe`, (B, h, w).
        ms: MS image, same shape.
        ratio: MS pixel size over PAN pixel size.
        valid: Second result of `observe`, (h, w).

    Reference: Scarpa and Ciotola, Remote Sensing 14(8), 2022.
    """
    return ergas(observed, ms, ratio=ratio, valid=valid)


def r_sam(observed: ArrayLike, ms: ArrayLike, *, valid: ArrayLike) -> float:
    """`sam` of the observation against the MS samples, in degrees; 0 is perfect.

    Arguments and reference as for `r_ergas`.
    """
    return sam(observed, ms, valid=valid)


def r_q2n(observed: ArrayLike, ms: ArrayLike, *, valid: ArrayLike) -> float:
    """`q2n` of the observation against the MS samples; 1 is perfect.

    Arguments and reference as for `r_ergas`. One minus this is the literature's D_lambda,align.
    """
    return q2n(observed, ms, valid=valid)


def observe(
    fused: ArrayLike,
    observer: Observer,
    *,
    valid: ArrayLike | None = None,
    ms_valid: ArrayLike | None = None,
) -> tuple[Array, Mask]:
    """What the MS camera would deliver for `fused`, (B, h, w), and the samples to compare (h, w).

    Args:
        fused: Fused image on the whole PAN grid, (B, H, W).
        observer: The camera and the grids.
        valid: Valid fused pixels, (H, W).
        ms_valid: Valid MS samples, (h, w).

    Raises:
        ValueError: If sizes do not fit the grids or values are not finite.
    """
    grid = observer.grid
    bands = image(fused, valid, "fused")
    if bands.shape[1:] != (grid.pan_height, grid.pan_width):
        raise ValueError(
            f"fused has {bands.shape[1:]} pixels, the grid {grid.pan_height, grid.pan_width}"
        )
    mask = np.ones(bands.shape[1:], np.bool_) if valid is None else np.asarray(valid, np.bool_)
    everything = Window(0, 0, grid.ms_height, grid.ms_width)
    part = observer.needs(everything)
    samples, trusted = observer.observe(bands[:, *part.slices], mask[part.slices], everything)
    if ms_valid is not None:
        trusted = trusted & np.asarray(ms_valid, np.bool_)
    return samples, trusted
