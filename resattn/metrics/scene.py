"""Scores of scenes larger than memory, read window by window.

The values are those of the whole image: blocks are never cut in two, filters see their halo, and
padding happens at the border of the scene only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from resattn.metrics.correlation import d_rho_halo, running_d_rho
from resattn.metrics.ergas import running_ergas
from resattn.metrics.error import running_psnr, running_rmse
from resattn.metrics.observe import Observer
from resattn.metrics.pair import Array, Mask
from resattn.metrics.q2n import running_q2n
from resattn.metrics.running import score_windows
from resattn.metrics.sam import running_sam
from resattn.tiling import Grid, Window

Reader: TypeAlias = Callable[[Window], tuple[Array, Mask]]
"""Values (B, H, W) or (H, W) and validity (H, W) of a window that lies inside the image."""

_BLOCK = 32


def scene_reduced(
    fused: Reader,
    reference: Reader,
    shape: tuple[int, int],
    *,
    ratio: float,
    peak: float,
    size: int = 1024,
) -> dict[str, float]:
    """ERGAS, SAM, Q2n, PSNR and RMSE of a scene against a true one, by name.

    Args:
        fused: Reads the fused image.
        reference: Reads the true image.
        shape: Height and width of both.
        ratio: MS pixel size over PAN pixel size of the fusion.
        peak: Greatest value the data can have, for PSNR.
        size: Side of the windows, a multiple of 32.

    Raises:
        ValueError: If readers do not agree in shape or `size` is no multiple of 32.
    """
    totals = {
        "ergas": running_ergas(ratio),
        "sam": running_sam(),
        "q2n": running_q2n(_BLOCK),
        "psnr": running_psnr(peak),
        "rmse": running_rmse(),
    }
    for window in score_windows(*shape, size, _BLOCK):
        estimate, seen = fused(window)
        truth, known = reference(window)
        for total in totals.values():
            total.update(estimate, truth, seen & known)
    return {name: total.compute() for name, total in totals.items()}


def scene_full(
    fused: Reader, pan: Reader, ms: Reader, observer: Observer, *, size: int = 1024
) -> dict[str, float]:
    """R-ERGAS, R-SAM, R-Q2n and D_rho of a scene, by name.

    Args:
        fused: Reads the fused image on the PAN grid.
        pan: Reads PAN.
        ms: Reads MS.
        observer: Grids, MTF gains and measured band shifts.
        size: Side of the windows in PAN pixels.

    Raises:
        ValueError: If readers do not fit the grids.
    """
    grid = observer.grid
    consistency = {
        "r_ergas": running_ergas(grid.ratio),
        "r_sam": running_sam(),
        "r_q2n": running_q2n(_BLOCK),
    }
    for window, observed, trusted in _observations(fused, observer, size):
        samples, known = ms(window)
        for total in consistency.values():
            total.update(observed, samples, trusted & known)
    detail = running_d_rho()
    for tile in Grid(grid.pan_height, grid.pan_width, size=size, halo=d_rho_halo(grid.ratio)):
        bands, seen = fused(tile.outer)
        sharp, known = pan(tile.outer)
        detail.update(bands, sharp, grid.ratio, seen & known, tile.crop())
    scores = {name: total.compute() for name, total in consistency.items()}
    return {**scores, "d_rho": detail.compute()}


def _observations(
    fused: Reader, observer: Observer, size: int
) -> Iterator[tuple[Window, Array, Mask]]:
    """Windows of MS samples with what the camera sees there, and which of it can be trusted."""
    grid = observer.grid
    side = max(1, round(size / grid.ratio / _BLOCK)) * _BLOCK
    for window in score_windows(grid.ms_height, grid.ms_width, side, _BLOCK):
        bands, seen = fused(observer.needs(window))
        clean = np.where(seen, bands, 0.0).astype(np.float64)
        yield window, *observer.observe(clean, seen, window)
