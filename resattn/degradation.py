"""The low-resolution image that super-resolution is trained on and judged by.

Published ×2/×3/×4 results all rest on one resampler, MATLAB's `imresize` on 8-bit images, and a
float pipeline differs from it in 10-15 % of the pixels. So this one rounds where MATLAB rounds.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Border = Literal["mirror", "clamp"]

_CUBIC_RADIUS = 2.0


def downscale(image: Tensor, scale: int, *, border: Border = "mirror") -> Tensor:
    """The image reduced `scale` times in height and width, as MATLAB's bicubic `imresize` does.

    Antialiased cubic convolution (a = -0.5), height first; each pass ends rounded half up and
    clipped to 8 bits. The official Set5 files mirror the border pixels, those of the SelfExSR
    collection repeat the outermost one.

    Args:
        image: `(..., H, W)` uint8.
        scale: Factor, at least 1.
        border: How pixels beyond the edge are made: reflected about the edge, or repeated.

    Returns:
        `(..., ceil(H / scale), ceil(W / scale))` uint8.

    Raises:
        ValueError: If the image is not uint8 or the scale is below 1.

    Example:
        >>> downscale(torch.full((3, 8, 8), 7, dtype=torch.uint8), 4).unique().tolist()
        [7]
    """
    if image.dtype != torch.uint8:
        raise ValueError(f"downscale works on uint8 images, got {image.dtype}")
    if scale < 1:
        raise ValueError(f"scale must be >= 1, got {scale}")
    rows = _reduce_last(image.transpose(-1, -2), scale, border).transpose(-1, -2)
    return _reduce_last(rows, scale, border)


def _reduce_last(image: Tensor, scale: int, border: Border) -> Tensor:
    taps, weights = _taps(image.shape[-1], scale, border)
    taps, weights = taps.to(image.device), weights.to(image.device)
    total = torch.zeros(
        (*image.shape[:-1], taps.shape[1]), dtype=torch.float64, device=image.device
    )
    for tap, weight in zip(taps, weights, strict=True):
        total += image[..., tap].double() * weight
    return (total + 0.5).floor_().clamp_(0, 255).to(torch.uint8)


def _taps(length: int, scale: int, border: Border) -> tuple[Tensor, Tensor]:
    """Source indices and normalised weights, each `(taps, ceil(length / scale))`."""
    outputs = -(-length // scale)
    radius = _CUBIC_RADIUS * scale
    centre = (torch.arange(outputs, dtype=torch.float64) + 0.5) * scale - 0.5
    first = (centre - radius).floor()
    offsets = torch.arange(int(2 * radius) + 2, dtype=torch.float64)
    index = first + offsets[:, None]
    weights = _cubic((centre - index) / scale)
    weights /= weights.sum(0, keepdim=True)
    index = index.long()
    if border == "mirror":
        index = index.remainder(2 * length)
        index = torch.where(index < length, index, 2 * length - 1 - index)
    return index.clamp(0, length - 1), weights


def _cubic(x: Tensor) -> Tensor:
    """Cubic convolution kernel, a = -0.5 (Keys 1981, eq. 15)."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x <= 1, near, torch.where(x <= _CUBIC_RADIUS, far, torch.zeros_like(x)))
