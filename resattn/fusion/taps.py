"""Linear filters along one axis as sparse rows, so that any part of an image equals the whole.

Every filter, interpolation and decimation of this package is "output i = Σ weight · input j" along
one axis and then along the other. `Rows` stores those weights for the outputs wanted and says
which inputs they touch. Products are summed in the order of the taps whatever the window, so a
window computed alone is bit-equal to the same pixels cut from the whole image; a dense matrix
product or a convolution library would not promise that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Image = NDArray[np.float32]
"""Samples (H, W) or (B, H, W)."""

Mask = NDArray[np.bool_]
"""(H, W), True where a sample is valid."""

_LEAST_WEIGHT = np.float32(1e-4)
"""Share of a filter that must fall on valid samples: below it, rounding speaks louder than data."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Weights of some outputs over the inputs `start` to `stop` of an axis.

    `matrix` has one row per output and `stop - start` columns.
    """

    matrix: sparse.csr_array
    start: int
    stop: int


def mirrored_rows(columns: NDArray[np.int64], weights: NDArray[np.float64], length: int) -> Rows:
    """Rows with `weights` (n, taps) at `columns` (n, taps), folded back at the ends of the axis.

    Folding repeats the border sample (…, 1, 0, 0, 1, …), so index −1 reads sample 0.
    """
    folded = mirror(columns, length)
    start, stop = int(folded.min()), int(folded.max()) + 1
    count, taps = folded.shape
    matrix = sparse.csr_array(
        (
            weights.astype(np.float32).ravel(),
            (folded - start).astype(np.int32).ravel(),
            np.arange(0, count * taps + 1, taps, dtype=np.int32),
        ),
        shape=(count, stop - start),
    )
    return Rows(matrix, start, stop)


def mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Any integer index folded into 0 … length−1 by half-sample mirroring."""
    wrapped = np.mod(index, 2 * length)
    folded: NDArray[np.int64] = np.minimum(wrapped, 2 * length - 1 - wrapped)
    return folded


def filter_axes(image: Image, rows: Rows, cols: Rows, *, reducing: bool = False) -> Image:
    """Both filters applied to an image cut to `rows.start:rows.stop`, `cols.start:cols.stop`.

    Args:
        image: (..., H, W) with H and W the spans of `rows` and `cols`.
        rows: Weights along the vertical axis.
        cols: Weights along the horizontal axis.
        reducing: Vertical pass first, which is cheaper where outputs are fewer than inputs. The
            order changes the last bits, so it is the caller's and does not depend on sizes.

    Returns:
        (..., number of row outputs, number of column outputs), float32.
    """
    height, width = image.shape[-2:]
    if (height, width) != (rows.matrix.shape[1], cols.matrix.shape[1]):
        raise ValueError(
            f"image of {height}×{width} for rows over {rows.matrix.shape[1]} "
            f"and columns over {cols.matrix.shape[1]} samples"
        )
    stack = image.reshape(-1, height, width).astype(np.float32, copy=False)
    if reducing:
        result = _horizontal(_vertical(stack, rows), cols)
    else:
        result = _vertical(_horizontal(stack, cols), rows)
    return np.ascontiguousarray(result).reshape(*image.shape[:-2], *result.shape[1:])


def _vertical(stack: Image, rows: Rows) -> Image:
    """(B, H, W) filtered down the columns, band by band: one stays in the processor's cache."""
    out = np.empty((len(stack), rows.matrix.shape[0], stack.shape[2]), np.float32)
    for target, band in zip(out, stack, strict=True):
        target[...] = rows.matrix @ band
    return out


def _horizontal(stack: Image, cols: Rows) -> Image:
    """(B, H, W) filtered along the rows. Sparse products want that axis first, flat behind it."""
    bands, height, width = stack.shape
    flat = np.ascontiguousarray(stack.transpose(2, 0, 1)).reshape(width, -1)
    filtered: Image = (cols.matrix @ flat).reshape(-1, bands, height).transpose(1, 2, 0)
    return filtered


def convolve(
    image: Image, rows: Rows, cols: Rows, valid: Mask | None = None
) -> tuple[Image, Mask | None]:
    """`filter_axes` that leaves invalid samples out and renormalises what is left.

    Returns the filtered image and where it means anything: where the filter meets (almost) no
    valid sample it is 0 and False; None stands for "everywhere". Where the filter meets no
    invalid sample the result is bit-equal to the unmasked one. For filters whose weights sum to 1.
    """
    if valid is None or valid.all():
        return filter_axes(image, rows, cols, reducing=True), None
    clean = np.where(valid, image, np.float32(0))
    touched = filter_axes((~valid).astype(np.float32), rows, cols) != 0
    present = filter_axes(valid.astype(np.float32), rows, cols)
    known = np.where(touched, present, np.float32(1))
    trusted = known > _LEAST_WEIGHT
    filtered = filter_axes(clean, rows, cols) / np.where(trusted, known, np.float32(1))
    return np.where(trusted, filtered, np.float32(0)), trusted
