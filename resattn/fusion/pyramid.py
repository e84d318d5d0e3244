"""Both directions between the grids of one scene: MS enlarged to PAN, PAN reduced to MS.

The reduction models the camera (MTF low-pass, sampled where each band's MS samples lie), the
enlargement is the interpolator; each works on any window and reads just the samples it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from resattn.fusion.axis import POINT as POINT
from resattn.fusion.axis import enlarging, reducing
from resattn.fusion.mtf import low_pass_rows
from resattn.fusion.resample import REACH, filled, interpolate
from resattn.fusion.scene import Scene
from resattn.fusion.taps import Image, Mask, Rows, convolve, filter_axes
from resattn.tiling import Window

Shift: TypeAlias = tuple[float, float]
"""(dy, dx): how many PAN pixels down and right of its nominal place a band's content lies."""


@dataclass(frozen=True, slots=True)
class Optics:
    """How the camera made MS from what PAN shows.

    Args:
        ms_gains: MTF gain of each band at the MS Nyquist frequency; `POINT` for point samples.
        shifts: Measured displacement of each band against the grid map, PAN pixels.
        softness: For pairs that were decimated without a low-pass: PAN itself is first blurred to
            this gain, because the MS never was as sharp as PAN. None for camera images.
    """

    ms_gains: tuple[float, ...]
    shifts: tuple[Shift, ...]
    softness: float | None = None

    @classmethod
    def of(cls, ms_gains: Sequence[float], shifts: Sequence[Shift] | None = None) -> Optics:
        """Optics with the given gains; bands in place where no shifts are given."""
        gains = tuple(ms_gains)
        return cls(gains, ((0.0, 0.0),) * len(gains) if shifts is None else tuple(shifts))

    @property
    def groups(self) -> tuple[tuple[float, Shift], ...]:
        """Distinct (gain, shift) pairs, in order of first use: bands that share a low-pass PAN."""
        return tuple(dict.fromkeys(zip(self.ms_gains, self.shifts, strict=True)))

    @property
    def members(self) -> tuple[int, ...]:
        """Index into `groups` of every band."""
        order = {group: index for index, group in enumerate(self.groups)}
        return tuple(order[pair] for pair in zip(self.ms_gains, self.shifts, strict=True))


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The two grids of `scene` under `optics`."""

    scene: Scene
    optics: Optics

    def pan(self, window: Window) -> tuple[Image, Mask]:
        """PAN of a window, softened if the optics say so, and its validity."""
        softness = self.optics.softness
        if softness is None:
            return self.scene.read_pan(window)
        grid = self.scene.grid
        rows = low_pass_rows(
            indices(window.row, window.height), grid.pan_height, softness, grid.ratio
        )
        cols = low_pass_rows(
            indices(window.col, window.width), grid.pan_width, softness, grid.ratio
        )
        cover = span_of(rows, cols)
        image, valid = self.scene.read_pan(cover)
        return convolve(image, rows, cols, valid)[0], valid[window.relative_to(cover).slices]

    def enlarged(self, window: Window) -> tuple[Image, Mask]:
        """MS at the PAN pixels of a window, (B, H, W), and where MS covers them validly."""
        cover = self.ms_cover(window)
        image, valid = self.scene.read_ms(cover)
        enlarged = self.enlarge(filled(image, valid), cover, window, self.optics.shifts)
        return enlarged, self._covered(valid, cover, window)

    def enlarge(
        self, samples: Image, cover: Window, window: Window, shifts: Sequence[Shift]
    ) -> Image:
        """Samples (N, h, w) of the MS window `cover`, one shift each, at the pixels of `window`."""
        out = np.empty((len(samples), window.height, window.width), np.float32)
        for shift in dict.fromkeys(shifts):
            rows, cols = self._interpolation(window, shift)
            part = _cut(samples, cover, rows, cols)
            picked = [index for index, own in enumerate(shifts) if own == shift]
            out[picked] = interpolate(part[picked], rows, cols)
        return out

    def low(self, window: Window) -> Image:
        """PAN as MS saw it, enlarged like MS: (groups, H, W) for the optics' groups."""
        cover = self.ms_cover(window)
        reduced = self.reduced_pan(cover)
        return self.enlarge(reduced, cover, window, [shift for _, shift in self.optics.groups])

    def reduced_pan(self, cover: Window) -> Image:
        """PAN as MS saw it at the samples of an MS window: (groups, h, w)."""
        groups = self.optics.groups
        filters = [self._reduction(cover, gain, shift) for gain, shift in groups]
        span = union([span_of(rows, cols) for rows, cols in filters])
        image, valid = self.pan(span)
        out = np.empty((len(groups), cover.height, cover.width), np.float32)
        for index, (rows, cols) in enumerate(filters):
            part = _cut(valid, span, rows, cols)
            reduced, trusted = convolve(_cut(image, span, rows, cols), rows, cols, part)
            out[index] = filled(reduced, trusted)
        return out

    def residual(self, fused: Image, valid: Mask, span: Window, cover: Window) -> Image:
        """MS minus what MS would be of `fused` (B, H, W), known on the PAN window `span`.

        Returns (B, h, w) for the MS window `cover`; 0 where either side has no valid sample, and
        outside PAN, where the reduction would see mirrored pixels.
        """
        ms, known = self.scene.read_ms(cover)
        inside = self._on_pan(cover)
        out = np.zeros(ms.shape, np.float32)
        for group, (gain, shift) in enumerate(self.optics.groups):
            rows, cols = self._reduction(cover, gain, shift)
            picked = [index for index, own in enumerate(self.optics.members) if own == group]
            part = _cut(fused[picked], span, rows, cols)
            reduced, trusted = convolve(part, rows, cols, _cut(valid, span, rows, cols))
            both = known & inside if trusted is None else known & inside & trusted
            out[picked] = np.where(both, ms[picked] - reduced, np.float32(0))
        return out

    def there_and_back(self, samples: Image, outer: Window, inner: Window, reach: int) -> Image:
        """Samples (B, h, w) of the MS window `outer`, enlarged and reduced again, at `inner`.

        Weights farther than `reach` samples are left out; `outer` must hold all others.
        """
        out = np.empty((len(samples), inner.height, inner.width), np.float32)
        for group, (gain, shift) in enumerate(self.optics.groups):
            down = self._reduction(inner, gain, shift)
            up = self._interpolation(span_of(*down), shift)
            rows, cols = (
                _composed(first, second, start, reach)
                for first, second, start in zip(down, up, (inner.row, inner.col), strict=True)
            )
            picked = [index for index, own in enumerate(self.optics.members) if own == group]
            out[picked] = filter_axes(_cut(samples[picked], outer, rows, cols), rows, cols)
        return out

    def ms_cover(self, window: Window) -> Window:
        """MS samples read for a PAN window: under its interpolation, or to fill those from."""
        return self.clip_ms(self.interpolated(window).grown(REACH))

    def interpolated(self, window: Window) -> Window:
        """MS samples under the interpolation of every band of a PAN window."""
        shifts = dict.fromkeys(self.optics.shifts)
        return union([span_of(*self._interpolation(window, shift)) for shift in shifts])

    def clip_ms(self, window: Window) -> Window:
        """The part of an MS window that lies inside the image."""
        grid = self.scene.grid
        inside = window.intersection(Window(0, 0, grid.ms_height, grid.ms_width))
        if inside is None:
            raise ValueError(f"{window} lies outside the MS image")
        return inside

    def pan_cover(self, cover: Window) -> Window:
        """PAN pixels under the reduction to an MS window."""
        return union([span_of(*self._reduction(cover, g, s)) for g, s in self.optics.groups])

    def _interpolation(self, window: Window, shift: Shift) -> tuple[Rows, Rows]:
        y, x = self.scene.grid.shifted(*shift).axes
        return enlarging(y, window.row, window.height), enlarging(x, window.col, window.width)

    def _reduction(self, cover: Window, gain: float, shift: Shift) -> tuple[Rows, Rows]:
        ratio = self.scene.grid.ratio
        y, x = self.scene.grid.shifted(*shift).axes
        return (
            reducing(y, cover.row, cover.height, gain, ratio),
            reducing(x, cover.col, cover.width, gain, ratio),
        )

    def _on_pan(self, cover: Window) -> Mask:
        """Where the centre of an MS sample lies on PAN."""
        grid = self.scene.grid
        y = grid.pan_rows(indices(cover.row, cover.height))
        x = grid.pan_cols(indices(cover.col, cover.width))
        on_y = (y >= -0.5) & (y <= grid.pan_height - 0.5)
        on_x = (x >= -0.5) & (x <= grid.pan_width - 0.5)
        on: Mask = on_y[:, None] & on_x
        return on

    def _covered(self, valid: Mask, cover: Window, window: Window) -> Mask:
        """Where a PAN centre lies on the footprint of a valid MS sample."""
        grid, overlap = self.scene.grid, self.scene.grid.overlap
        rows = np.arange(window.row, window.bottom)
        cols = np.arange(window.col, window.right)
        near_y = _nearest(grid.ms_rows(rows.astype(np.float64)), grid.ms_height) - cover.row
        near_x = _nearest(grid.ms_cols(cols.astype(np.float64)), grid.ms_width) - cover.col
        on_y = (rows >= overlap.row) & (rows < overlap.bottom)
        on_x = (cols >= overlap.col) & (cols < overlap.right)
        covered: Mask = valid[np.ix_(near_y, near_x)] & on_y[:, None] & on_x
        return covered


def indices(start: int, count: int) -> NDArray[np.float64]:
    """Positions start, start + 1, … as floats."""
    return np.arange(start, start + count, dtype=np.float64)


def _nearest(positions: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    return np.clip(np.floor(positions + 0.5).astype(np.int64), 0, length - 1)


def span_of(rows: Rows, cols: Rows) -> Window:
    """The window of samples that a pair of filters reads."""
    return Window(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)


def union(windows: Sequence[Window]) -> Window:
    """The smallest window that holds all of `windows`."""
    row, col = min(w.row for w in windows), min(w.col for w in windows)
    bottom, right = max(w.bottom for w in windows), max(w.right for w in windows)
    return Window(row, col, bottom - row, right - col)


def _composed(down: Rows, up: Rows, first: int, reach: int) -> Rows:
    """`down` after `up` as one filter from MS to MS, for outputs `first` and on."""
    product = (down.matrix @ up.matrix).tocoo()
    away = product.coords[1] + up.start - (product.coords[0] + first)
    near = np.abs(away) <= reach
    row, col = product.coords[0][near], product.coords[1][near]
    start, stop = int(col.min()), int(col.max()) + 1
    matrix = sparse.coo_array(
        (product.data[near], (row, col - start)), shape=(product.shape[0], stop - start)
    ).tocsr()
    matrix.sort_indices()
    return Rows(matrix, up.start + start, up.start + stop)


def _cut(image: NDArray, window: Window, rows: Rows, cols: Rows) -> NDArray:  # type: ignore[type-arg]
    """The part of an array over `window` that `rows` and `cols` read."""
    part = span_of(rows, cols).relative_to(window)
    return image[..., *part.slices]
