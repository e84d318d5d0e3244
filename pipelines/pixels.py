"""Float results back into the type of a file, without surprises at its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_dtype(
    values: NDArray[np.floating], valid: NDArray[np.bool_], dtype: str, nodata: float | None
) -> NDArray[np.generic]:
    """`values` rounded to nearest, clipped to the range of `dtype`, `nodata` where not valid.

    A valid pixel never takes the nodata value: it is moved to the next number, because a reader
    could not tell it from a missing one.

    Args:
        values: (B, H, W).
        valid: (H, W), or (B, H, W) where bands differ.
        dtype: NumPy name of the target type.
        nodata: Fill of invalid pixels; 0 where there is none.
    """
    target = np.dtype(dtype)
    if target.kind not in "iu":
        filled = np.where(valid, values, values.dtype.type(0 if nodata is None else nodata))
        return filled.astype(target)
    limits = np.iinfo(target)
    # float32 cannot hold the limits of 32-bit types; float64 can.
    exact = np.result_type(values, np.float32 if target.itemsize <= 2 else np.float64)
    rounded = np.rint(values, dtype=exact)
    np.clip(rounded, limits.min, limits.max, out=rounded)
    pixels: NDArray[np.generic] = rounded.astype(target)
    if nodata is not None:
        taken = target.type(nodata)
        neighbour = taken + 1 if nodata < limits.max else taken - 1
        clash = pixels == taken
        if clash.any():
            pixels[clash] = neighbour
    if not valid.all():
        np.copyto(pixels, target.type(0 if nodata is None else nodata), where=~valid)
    return pixels
