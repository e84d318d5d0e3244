"""Fused bands moved back to where the MS product has them.

Fusion moves each band onto PAN by its measured shift, which is what a map wants. A reference made
of the MS image itself, as in Wald's protocol, has the bands where the product delivered them, up
to two PAN pixels apart; comparing with it asks for the fused bands in the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from resattn.fusion.pyramid import Optics
from resattn.fusion.resample import interpolation_rows
from resattn.fusion.scene import Scene
from resattn.fusion.taps import Image, Mask, Rows, filter_axes
from resattn.tiling import Window


class Fuser(Protocol):
    """A method fitted to one scene."""

    @property
    def optics(self) -> Optics:
        """The camera it was fitted with."""

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """Fused bands (B, H, W) of a PAN window, and where they are valid (H, W)."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """`fuser` with the shifts of its optics undone in the output."""

    fuser: Fuser

    @property
    def optics(self) -> Optics:
        """The camera of the fusion."""
        return self.fuser.optics

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """The fused bands (B, H, W) of a PAN window, 0 where invalid, and their validity (H, W).

        A pixel is valid where the fused image is, at the pixel and at all that its bands read.
        """
        grid = scene.grid
        moves = [
            (
                _rows(window.row, window.height, dy, grid.pan_height),
                _rows(window.col, window.width, dx, grid.pan_width),
            )
            for dy, dx in self.optics.shifts
        ]
        top, left = min(r.start for r, _ in moves), min(c.start for _, c in moves)
        bottom, right = max(r.stop for r, _ in moves), max(c.stop for _, c in moves)
        span = Window(top, left, bottom - top, right - left)
        fused, valid = self.fuser.apply(scene, span)
        holes = (~valid).astype(np.float32)
        known = np.ones((window.height, window.width), bool)
        out = np.empty((len(fused), window.height, window.width), np.float32)
        for band, (rows, cols) in enumerate(moves):
            part = np.s_[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
            out[band] = filter_axes(fused[band][part], rows, cols)
            known &= filter_axes(holes[part], _spread(rows), _spread(cols)) == 0
        return np.where(known, out, np.float32(0)), known


def _rows(start: int, count: int, shift: float, length: int) -> Rows:
    positions = np.arange(start, start + count, dtype=np.float64) + shift
    return interpolation_rows(positions, length)


def _spread(rows: Rows) -> Rows:
    """The same reads without sign, so that holes cannot cancel."""
    return Rows(abs(rows.matrix), rows.start, rows.stop)
