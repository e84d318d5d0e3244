"""MS on the PAN grid, and PAN as coarse as MS: the images that QNR compares the fused one with."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from resattn.fusion.resample import interp23, interpolate, interpolation_rows
from resattn.fusion.taps import mirror
from resattn.metrics.observe import Observer
from resattn.metrics.pair import Array, Mask


def enlarge(ms: Array, observer: Observer, valid: Mask | None = None) -> Array:
    """MS (B, h, w) interpolated to the PAN grid, (B, H, W).

    By the toolbox's circular 23-tap filter, or by the polynomial at the true positions.
    """
    if observer.toolbox:
        return interp23(ms.astype(np.float32), round(observer.grid.ratio)).astype(np.float64)
    grid = observer.grid
    rows = interpolation_rows(
        grid.ms_rows(np.arange(grid.pan_height, dtype=np.float64)), grid.ms_height
    )
    cols = interpolation_rows(
        grid.ms_cols(np.arange(grid.pan_width, dtype=np.float64)), grid.ms_width
    )
    needed = slice(rows.start, rows.stop), slice(cols.start, cols.stop)
    part = None if valid is None else valid[needed]
    return interpolate(ms[:, *needed].astype(np.float32), rows, cols, part).astype(np.float64)


def shrink(pan: Array, observer: Observer, valid: Mask | None = None) -> tuple[Array, Mask]:
    """PAN (1, H, W) at MS resolution by antialiased bicubic, (1, h, w), and its valid samples.

    On a toolbox grid the samples lie on the centres of the footprints, half a pixel from where
    `enlarge` puts them: so does the toolbox.
    """
    grid = observer.grid
    offsets = (grid.offset_y, grid.offset_x)
    if observer.toolbox:
        offsets = ((grid.scale_y - 1) / 2, (grid.scale_x - 1) / 2)
    rows = _bicubic(offsets[0], grid.scale_y, grid.ms_height, grid.pan_height)
    cols = _bicubic(offsets[1], grid.scale_x, grid.ms_width, grid.pan_width)
    low = np.stack([cols @ (rows @ band).T for band in pan]).transpose(0, 2, 1)
    if valid is None or valid.all():
        return low, np.ones(low.shape[1:], dtype=np.bool_)
    reach = abs(rows), abs(cols)
    holes = (reach[1] @ (reach[0] @ (~valid).astype(np.float64)).T).T
    return low, holes == 0


def _bicubic(offset: float, scale: float, count: int, length: int) -> sparse.csr_array:
    """(count, length): Keys' cubic (a = −½) widened by `scale` at offset + scale·k, mirrored."""
    centres = offset + scale * np.arange(count)
    first = np.floor(centres - 2 * scale).astype(np.int64)
    columns = first[:, None] + np.arange(int(np.ceil(4 * scale)) + 2)
    weights = _keys((centres[:, None] - columns) / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    folded = mirror(columns, length)
    rows = np.repeat(np.arange(count), columns.shape[1])
    return sparse.csr_array((weights.ravel(), (rows, folded.ravel())), shape=(count, length))


def _keys(distance: Array) -> Array:
    """Cubic convolution kernel: Keys, IEEE TASSP 29(6), 1981, eq. 15."""
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
