"""PAN detail added to enlarged bands: the one formula behind every classical method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resattn.fusion.pyramid import Pyramid
from resattn.fusion.taps import Image, Mask
from resattn.tiling import Window

_STRIP = 32
"""Rows worked on at a time, so that a strip of every band stays in the processor's cache."""

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Injection:
    """Coefficients of one method for B bands: fused = E + D·(α + β·E / max(X + haze, floor)).

    X_b = low_b·L_b + Σ_k mix_bk·E_k + constant_b is what PAN looks like without its detail, with E
    the enlarged MS and L the enlarged low-pass PAN; D_b = pan_b·P − X_b is the detail.

    Args:
        pan: (B,) weight of PAN in the detail; all zero adds nothing (`exp`).
        low: (B,) weight of the low-pass PAN.
        mix: No row, one row of B weights for all bands, or B rows.
        constant: (B,).
        additive: (B,) α, in MS units per PAN unit.
        relative: (B,) β, 1 for a full ratio method, 0 for an additive one.
        haze: (B,) added to PAN and X before the ratio: light that carries no detail.
        floor: (B,) least divisor.
    """

    pan: Vector
    low: Vector
    mix: tuple[Vector, ...]
    constant: Vector
    additive: Vector
    relative: Vector
    haze: Vector
    floor: Vector


def inject(pyramid: Pyramid, injection: Injection, window: Window) -> tuple[Image, Mask]:
    """The fused bands (B, H, W) of a PAN window, 0 where invalid, and their validity."""
    fused, valid = pyramid.enlarged(window)
    if any(injection.pan):
        pan, pan_valid = pyramid.pan(window)
        valid = valid & pan_valid
        low = pyramid.low(window) if any(injection.low) else None
        for top in range(0, window.height, _STRIP):
            rows = slice(top, top + _STRIP)
            strip = None if low is None else low[:, rows]
            _add_detail(injection, pyramid.optics.members, fused[:, rows], strip, pan[rows])
    if not valid.all():
        fused[:, ~valid] = 0
    return fused, valid


def _add_detail(
    injection: Injection,
    members: tuple[int, ...],
    enlarged: Image,
    low: Image | None,
    pan: Image,
) -> None:
    """Detail added in place to a strip (B, rows, W) of enlarged bands."""
    mixed = [_mix(row, enlarged) for row in injection.mix]
    for band, target in enumerate(enlarged):
        base = np.full_like(target, injection.constant[band])
        if mixed:
            base += mixed[band if len(mixed) > 1 else 0]
        if low is not None:
            base += np.float32(injection.low[band]) * low[members[band]]
        detail = np.float32(injection.pan[band]) * pan - base
        if injection.relative[band]:
            base += np.float32(injection.haze[band])
            np.maximum(base, np.float32(injection.floor[band]), out=base)
            gain = np.float32(injection.relative[band]) * target / base
            detail *= gain + np.float32(injection.additive[band])
        else:
            detail *= np.float32(injection.additive[band])
        target += detail


def _mix(weights: Vector, enlarged: Image) -> Image:
    """Weighted sum of bands, in band order so that any window gives the same bits."""
    total: Image = np.float32(weights[0]) * enlarged[0]
    for weight, band in zip(weights[1:], enlarged[1:], strict=True):
        total += np.float32(weight) * band
    return total
