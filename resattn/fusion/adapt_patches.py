"""Parts of a scene as tensors, with the camera as matrices, so that losses have gradients.

Adaptation looks at a few square patches, each small enough to be one step of training. Filtering,
sampling and interpolation are separable, so the camera of a patch is two small matrices per band
and direction: the same weights as `resattn.fusion.pyramid` uses, cut to the patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from resattn.fusion.axis import Axis, enlarging, reducing
from resattn.fusion.classical import Model
from resattn.fusion.consistency import consistent
from resattn.fusion.injection import inject
from resattn.fusion.losses import unlikeness
from resattn.fusion.pyramid import Pyramid
from resattn.fusion.taps import Image, Mask, Rows
from resattn.tiling import Window

SIDE = 256
"""PAN pixels along a patch: most of its MS samples then have their whole filter inside."""

_LEAST_VALID = 0.5
"""Share of valid pixels below which a patch teaches nothing."""

_LEAST_SEEN = 0.99
"""Share of the filter of an MS sample that must fall on valid pixels for it to count."""

_WIDE = 2
"""Half window of the low-resolution correlation, in MS samples."""


@dataclass(frozen=True, slots=True)
class Camera:
    """PAN resolution to MS resolution and back, on one patch, (B, …) matrices.

    Args:
        down_rows: (B, h, H).
        down_cols: (B, w, W).
        up_rows: (B, H, h).
        up_cols: (B, W, w).
    """

    down_rows: Tensor
    down_cols: Tensor
    up_rows: Tensor
    up_cols: Tensor

    def to(self, device: torch.device) -> Camera:
        """The matrices on another device."""
        return Camera(*(getattr(self, item.name).to(device) for item in fields(Camera)))

    def reduce(self, fused: Tensor) -> Tensor:
        """MS samples (B, h, w) of the fused bands (B, H, W)."""
        return self.down_rows @ fused @ self.down_cols.transpose(1, 2)

    def enlarge(self, samples: Tensor) -> Tensor:
        """Samples (B, h, w) at the PAN pixels, (B, H, W); zero samples outside the patch."""
        return self.up_rows @ samples @ self.up_cols.transpose(1, 2)


@dataclass(frozen=True, slots=True)
class Pixels:
    """What the network sees of a PAN window.

    Args:
        pan: (1, H, W).
        plain: (B, H, W), the classical result before it is made consistent.
        missing: (B, H, W), what full consistency would add.
        valid: (H, W), 1 where both inputs are valid.
    """

    pan: Tensor
    plain: Tensor
    missing: Tensor
    valid: Tensor


@dataclass(frozen=True, slots=True)
class Patch(Pixels):
    """What adaptation knows of one part of the scene.

    Args:
        ms: (B, h, w), the samples whose filter lies inside the patch.
        known: (h, w), 1 where such a sample and all pixels under it are valid.
        allowed: (B, H, W), see `resattn.fusion.losses.unlikeness`.
        camera: Matrices between both grids.
    """

    ms: Tensor
    known: Tensor
    allowed: Tensor
    camera: Camera

    def to(self, device: torch.device) -> Patch:
        """The patch on another device."""
        moved = (getattr(self, item.name).to(device) for item in fields(Patch))
        return Patch(*moved)


def scene_patches(pyramid: Pyramid, start: Model, most: int) -> Iterator[Patch]:
    """At most `most` patches spread over the scene, without those that hold too little."""
    for window in _windows(pyramid.scene.grid.overlap, most):
        patch = patch_of(pyramid, start, window)
        if patch is not None:
            yield patch


def patch_of(pyramid: Pyramid, start: Model, window: Window) -> Patch | None:
    """The patch over a PAN window, or None where too little of it is valid."""
    seen = pixels(pyramid, start, window)
    found = _camera(pyramid, window)
    if found is None or seen.valid.mean() < _LEAST_VALID:
        return None
    cover, camera = found
    ms, ms_valid = pyramid.scene.read_ms(cover)
    under = camera.reduce(seen.valid.expand(len(ms), -1, -1))
    known = torch.from_numpy(ms_valid) & (under > _LEAST_SEEN).all(0)
    if not bool(known.any()):
        return None
    enlarged, _ = pyramid.enlarged(window)
    low = pyramid.low(window)[list(pyramid.optics.members)]
    half = max(2, round(_WIDE * pyramid.scene.grid.ratio))
    allowed = unlikeness(torch.from_numpy(enlarged), torch.from_numpy(low), half)
    return Patch(
        seen.pan,
        seen.plain,
        seen.missing,
        seen.valid,
        torch.from_numpy(np.where(ms_valid, ms, np.float32(0))),
        known.float(),
        allowed,
        camera,
    )


def pixels(pyramid: Pyramid, start: Model, window: Window) -> Pixels:
    """What the network sees of any PAN window."""

    def plain(span: Window) -> tuple[Image, Mask]:
        return inject(pyramid, start.injection, span)

    pan, _ = pyramid.pan(window)
    bands, valid = plain(window)
    exact, _ = consistent(pyramid, plain, window, 1.0)
    return Pixels(
        torch.from_numpy(np.where(valid, pan, np.float32(0)))[None],
        torch.from_numpy(bands),
        torch.from_numpy(exact - bands),
        torch.from_numpy(valid.astype(np.float32)),
    )


def _windows(area: Window, most: int) -> list[Window]:
    """Squares of `SIDE` spread over `area`, or `most` evenly chosen ones of them."""
    rows, cols = _starts(area.row, area.height, SIDE), _starts(area.col, area.width, SIDE)
    height, width = min(SIDE, area.height), min(SIDE, area.width)
    found = [Window(row, col, height, width) for row in rows for col in cols]
    chosen = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
    return [found[index] for index in chosen]


def _starts(first: int, length: int, side: int) -> list[int]:
    count = max(1, -(-length // side))
    return [round(start) for start in np.linspace(first, first + max(0, length - side), count)]


def _camera(pyramid: Pyramid, window: Window) -> tuple[Window, Camera] | None:
    """The MS samples that all bands see from within `window`, and the matrices to them."""
    grid, optics = pyramid.scene.grid, pyramid.optics
    rows, cols = [], []
    for gain, (dy, dx) in zip(optics.ms_gains, optics.shifts, strict=True):
        y, x = grid.shifted(dy, dx).axes
        rows.append(_Side(y, gain, grid.ratio, window.row, window.height))
        cols.append(_Side(x, gain, grid.ratio, window.col, window.width))
    top, bottom = max(axis.first for axis in rows), min(axis.stop for axis in rows)
    left, right = max(axis.first for axis in cols), min(axis.stop for axis in cols)
    if bottom <= top or right <= left:
        return None
    return Window(top, left, bottom - top, right - left), Camera(
        torch.stack([axis.down(top, bottom) for axis in rows]),
        torch.stack([axis.down(left, right) for axis in cols]),
        torch.stack([axis.up(top, bottom) for axis in rows]),
        torch.stack([axis.up(left, right) for axis in cols]),
    )


class _Side:
    """One band along one axis of a patch: MS samples `first` to `stop` have their filter on it."""

    def __init__(self, axis: Axis, gain: float, ratio: float, start: int, length: int) -> None:
        self._axis, self._start, self._length = axis, start, length
        near = np.clip(axis.samples_of(start, length)[[0, -1]], 0, axis.samples - 1)
        index = np.arange(int(np.ceil(near[0])), int(near[1]) + 1)
        rows = reducing(axis, int(index[0]), len(index), gain, ratio)
        columns = rows.matrix.indices.reshape(len(index), -1) + rows.start
        inside = (columns.min(1) >= start) & (columns.max(1) < start + length)
        kept = index[inside]
        self._down = _dense(rows, start, length)[inside]
        self.first, self.stop = (int(kept[0]), int(kept[-1]) + 1) if len(kept) else (0, 0)

    def down(self, first: int, stop: int) -> Tensor:
        """(stop − first, pixels): the camera."""
        return torch.from_numpy(self._down[first - self.first : stop - self.first])

    def up(self, first: int, stop: int) -> Tensor:
        """(pixels, stop − first): the interpolator, with zeros outside `first` … `stop`."""
        rows = enlarging(self._axis, self._start, self._length)
        return torch.from_numpy(_dense(rows, first, stop - first))


def _dense(rows: Rows, start: int, length: int) -> Image:
    """The weights (n, length) on inputs `start` and on; weights on other inputs are dropped."""
    dense: Image = np.zeros((rows.matrix.shape[0], length), np.float32)
    first, stop = max(start, rows.start), min(start + length, rows.stop)
    if first < stop:
        part = rows.matrix.toarray()[:, first - rows.start : stop - rows.start]
        dense[:, first - start : stop - start] = part
    return dense
