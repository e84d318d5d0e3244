"""A fused image as the MS camera would have seen it: the first half of every consistency score.

The image is low-passed by the camera's MTF on the PAN grid and read at the positions of the MS
samples, moved by the measured shift of each band. All steps are linear and separable, so they are
two sparse matrices per band, built for the whole scene and cut to any window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from resattn.fusion.geometry import GridMap
from resattn.fusion.mtf import SIZE, spread
from resattn.fusion.resample import TAPS, lagrange
from resattn.metrics.pair import Array, Mask
from resattn.tiling import Window

LEAST_SHARE = 0.99
"""Share of the filter that must fall on valid pixels for an observed sample to count."""

_KAISER_BETA = 0.5
_SNAP = 1e-7  # georeferences carry about ten digits
_HALF = SIZE // 2

Shift = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Observer:
    """The camera of one scene.

    Args:
        grid: Where MS samples lie on the PAN grid.
        gains: MTF gain at Nyquist of each band.
        shifts: What `grid` leaves out, per band: MS content really lies (dy, dx) PAN pixels
            farther down and right.
        toolbox: Treat borders as the Pansharpening Toolbox and the reference code do, for scores
            that compare with published ones: zeros outside where the observation is moved between
            pixels, circular enlargement. Else the edge is repeated and mirrored. The low-pass
            filter repeats the edge in both cases.
    """

    grid: GridMap
    gains: tuple[float, ...]
    shifts: tuple[Shift, ...]
    toolbox: bool = False

    @classmethod
    def of_toolbox(
        cls, pan_shape: tuple[int, int], ratio: int, gains: tuple[float, ...], *shifts: Shift
    ) -> Observer:
        """The camera of a scene without georeference, by the conventions of published numbers.

        MS sample k is taken to lie on PAN pixel `ratio·k + ratio // 2`, which for even ratios is
        half a PAN pixel beyond the centre of its footprint.

        Args:
            pan_shape: Height and width of PAN, multiples of `ratio`.
            ratio: MS pixel size over PAN pixel size.
            gains: MTF gain at Nyquist of each band.
            shifts: (dy, dx) of each band in PAN pixels; none at all for zeros.

        Raises:
            ValueError: If `ratio` does not divide the sizes.
        """
        height, width = pan_shape
        if ratio < 1 or height % ratio or width % ratio:
            raise ValueError(f"ratio {ratio} does not divide a PAN image of {height}×{width}")
        centre = float(ratio // 2)
        grid = GridMap(height, width, height // ratio, width // ratio, ratio, ratio, centre, centre)
        return cls(grid, gains, shifts or ((0.0, 0.0),) * len(gains), toolbox=True)

    def __post_init__(self) -> None:
        if len(self.gains) != len(self.shifts):
            raise ValueError(f"{len(self.gains)} MTF gains for {len(self.shifts)} band shifts")

    def needs(self, window: Window) -> Window:
        """PAN pixels that `observe` reads for a window of MS samples."""
        reach = _HALF + TAPS // 2 + 1
        rows = self.grid.pan_rows(np.array([window.row, window.bottom - 1.0]))
        cols = self.grid.pan_cols(np.array([window.col, window.right - 1.0]))
        drift = np.abs(np.array(self.shifts)).max(axis=0)
        top, bottom = _reach(rows, drift[0] + reach, self.grid.pan_height)
        left, right = _reach(cols, drift[1] + reach, self.grid.pan_width)
        return Window(top, left, bottom - top, right - left)

    def observe(self, fused: Array, valid: Mask, window: Window) -> tuple[Array, Mask]:
        """MS samples of a window as seen from `fused`, and which of them can be trusted.

        Args:
            fused: Fused pixels of `needs(window)`, (B, H, W), zero where invalid.
            valid: Valid pixels, (H, W).
            window: Window of MS samples.

        Returns:
            (B, h, w) samples and (h, w): True where every band's sample lies on PAN and its filter
            met valid pixels only, up to 1 % of its weight.
        """
        if len(fused) != len(self.gains):
            raise ValueError(f"{len(fused)} fused bands for {len(self.gains)} MTF gains")
        part = self.needs(window)
        samples = np.empty((len(fused), window.height, window.width))
        trusted = self._on_pan(window)
        complete = bool(valid.all())
        for band, (gain, (dy, dx)) in enumerate(zip(self.gains, self.shifts, strict=True)):
            rows = self._rows(gain, dy, window, part)
            cols = self._cols(gain, dx, window, part)
            samples[band] = _apply(rows, cols, fused[band])
            if not complete:
                whole = _apply(rows, cols, np.ones_like(fused[band]))
                seen = _apply(rows, cols, valid.astype(np.float64))
                enough = seen >= LEAST_SHARE * whole
                samples[band] *= np.divide(whole, seen, out=np.zeros_like(seen), where=enough)
                trusted &= enough
        return samples, trusted

    def _on_pan(self, window: Window) -> Mask:
        """MS samples (h, w) that lie on PAN in every band."""
        shifts = np.array(self.shifts)
        rows = self.grid.pan_rows(np.arange(window.row, window.bottom, dtype=np.float64))
        cols = self.grid.pan_cols(np.arange(window.col, window.right, dtype=np.float64))
        in_rows = _within(rows + shifts[:, :1], self.grid.pan_height)
        in_cols = _within(cols + shifts[:, 1:], self.grid.pan_width)
        both: Mask = np.logical_and.outer(in_rows, in_cols)
        return both

    def _rows(self, gain: float, shift: float, window: Window, part: Window) -> sparse.csr_array:
        positions = self.grid.pan_rows(np.arange(window.row, window.bottom, dtype=np.float64))
        span = part.row, part.bottom, self.grid.pan_height
        taps = low_pass_taps(gain, self.grid.ratio, windowed=False)
        return _observation(positions + shift, taps, span, zeros=self.toolbox)

    def _cols(self, gain: float, shift: float, window: Window, part: Window) -> sparse.csr_array:
        positions = self.grid.pan_cols(np.arange(window.col, window.right, dtype=np.float64))
        span = part.col, part.right, self.grid.pan_width
        taps = low_pass_taps(gain, self.grid.ratio, windowed=True)
        return _observation(positions + shift, taps, span, zeros=self.toolbox)


def low_pass(
    fused: Array, gains: tuple[float, ...], ratio: float, valid: Mask | None = None
) -> tuple[Array, Mask]:
    """`fused` (B, H, W) filtered by the MTF of each band on its own grid, and trusted pixels."""
    height, width = fused.shape[1:]
    mask = np.ones((height, width), dtype=np.bool_) if valid is None else valid
    filtered = np.empty_like(fused)
    trusted = mask.copy()
    for band, gain in enumerate(gains):
        taps = low_pass_taps(gain, ratio, windowed=False)
        rows = _low_pass(taps, np.arange(height), (0, height, height))
        taps = low_pass_taps(gain, ratio, windowed=True)
        cols = _low_pass(taps, np.arange(width), (0, width, width))
        filtered[band] = _apply(rows, cols, fused[band])
        if not mask.all():
            seen = _apply(rows, cols, mask.astype(np.float64))
            enough = seen >= LEAST_SHARE
            filtered[band] *= np.divide(1.0, seen, out=np.zeros_like(seen), where=enough)
            trusted &= enough
    return filtered, trusted


def low_pass_taps(gain: float, ratio: float, *, windowed: bool) -> Array:
    """The 41 taps of the MTF filter along one axis, with unit sum.

    The stored reference values come from code that applies the Kaiser window along rows only; the
    other axis has none. The difference to a round window is 5e-4 of the centre tap, and 1e-3 in
    R-ERGAS.
    """
    steps = np.arange(-_HALF, _HALF + 1, dtype=np.float64)
    spectrum = np.exp(-0.5 * np.square(steps / spread(gain, ratio)))
    taps = np.cos(2 * np.pi / SIZE * np.outer(steps, steps)) @ spectrum
    if windowed:
        taps = taps * np.kaiser(SIZE, _KAISER_BETA)
    return np.asarray(taps / taps.sum())


def interpolation(positions: Array, length: int, *, zeros: bool) -> sparse.csr_array:
    """(n, length): the 12-point polynomial at real positions of an axis.

    Beyond the axis it finds zeros, or the edge repeated.
    """
    columns, weights = _polynomial(positions, length, zeros=zeros)
    return _matrix(columns, weights, length)


def _observation(
    positions: Array, taps: Array, span: tuple[int, int, int], *, zeros: bool
) -> sparse.csr_array:
    """Filter, then interpolate: (n, stop − start) over pixels start … stop of an axis.

    `span` is start, stop and the length of the whole axis.
    """
    start, stop, length = span
    columns, weights = _polynomial(positions, length, zeros=zeros)
    first, last = int(columns.min()), int(columns.max()) + 1
    read = _matrix(columns - first, weights, last - first)
    return read @ _low_pass(taps, np.arange(first, last), (start, stop, length))


def _low_pass(
    taps: Array, centres: NDArray[np.int64], span: tuple[int, int, int]
) -> sparse.csr_array:
    """(n, stop − start): the filter at some pixels of an axis, its edge repeated."""
    start, stop, length = span
    columns = np.clip(centres[:, None] + np.arange(-_HALF, _HALF + 1), 0, length - 1)
    return _matrix(columns - start, np.broadcast_to(taps, columns.shape), stop - start)


def _polynomial(positions: Array, length: int, *, zeros: bool) -> tuple[NDArray[np.int64], Array]:
    """Columns and weights (n, 12) of the polynomial at real positions of an axis."""
    whole = np.round(positions)
    positions = np.where(np.abs(positions - whole) < _SNAP, whole, positions)
    base = np.floor(positions).astype(np.int64)
    columns = base[:, None] + np.arange(1 - TAPS // 2, TAPS // 2 + 1)
    weights = lagrange(positions - base)
    if zeros:
        weights = np.where((columns >= 0) & (columns < length), weights, 0.0)
    return np.clip(columns, 0, length - 1), weights


def _matrix(columns: NDArray[np.int64], weights: Array, length: int) -> sparse.csr_array:
    count, taps = columns.shape
    rows = np.repeat(np.arange(count), taps)
    return sparse.csr_array((weights.ravel(), (rows, columns.ravel())), shape=(count, length))


def _apply(rows: sparse.csr_array, cols: sparse.csr_array, band: Array) -> Array:
    return np.asarray((cols @ (rows @ band).T).T)


def _within(positions: Array, length: int) -> Mask:
    """Which of the positions (B, n) lie on an axis of `length` pixels in every band, (n,)."""
    outside = (positions < -0.5 - _SNAP) | (positions > length - 0.5 + _SNAP)
    return np.asarray(~outside.any(axis=0))


def _reach(positions: Array, margin: float, length: int) -> tuple[int, int]:
    start = int(np.clip(np.floor(positions[0] - margin), 0, length - 1))
    stop = int(np.clip(np.ceil(positions[1] + margin) + 1, start + 1, length))
    return start, stop
