"""What every comparison starts from: two float64 images on one grid and the pixels that count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images (B, H, W) in float64, zero wherever `valid` (H, W) is False."""

    estimate: Array
    reference: Array
    valid: Mask

    @property
    def complete(self) -> bool:
        """Whether every pixel counts."""
        return bool(self.valid.all())


def pair(estimate: ArrayLike, reference: ArrayLike, valid: ArrayLike | None = None) -> Pair:
    """The two images checked against each other, in float64, with masked pixels set to zero.

    Args:
        estimate: Image to judge, (B, H, W) or (H, W), any real dtype.
        reference: Image to judge against, same shape.
        valid: Pixels that count, (H, W); everything where absent. What lies under a False pixel
            never reaches the result, NaN included.

    Raises:
        ValueError: If shapes differ or a counted pixel is not finite.
    """
    shape = np.shape(reference)
    if np.shape(estimate) != shape:
        raise ValueError(f"estimate has shape {np.shape(estimate)}, reference {shape}")
    mask = _mask(valid, shape)
    return Pair(image(estimate, mask, "estimate"), image(reference, mask, "reference"), mask)


def image(values: ArrayLike, valid: ArrayLike | None, role: str) -> Array:
    """An image as (B, H, W) float64 with zeros under the mask.

    Raises:
        ValueError: If it has not two or three axes, or a counted pixel is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    mask = _mask(valid, array.shape)
    bands = array[None] if array.ndim == 2 else array
    if not mask.all():
        bands = np.where(mask, bands, 0.0)
    lost = bands.size - int(np.count_nonzero(np.isfinite(bands)))
    if lost:
        raise ValueError(f"{role} has {lost} non-finite values at pixels that count: mask them")
    return bands


def _mask(valid: ArrayLike | None, shape: tuple[int, ...]) -> Mask:
    if len(shape) not in (2, 3):
        raise ValueError(f"expected an image (B, H, W) or (H, W), got shape {shape}")
    if valid is None:
        return np.ones(shape[-2:], dtype=np.bool_)
    mask = np.asarray(valid, dtype=np.bool_)
    if mask.shape != shape[-2:]:
        raise ValueError(f"valid has shape {mask.shape}, the image {shape[-2:]}")
    return mask
