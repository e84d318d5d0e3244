"""Reading an image between its pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def sample(image: Tensor, points: Tensor) -> Tensor:
    """Bilinear values of `image` (B, C, H, W) at `points` (B, h, w, 2): (B, C, h, w).

    Points are (x, y) in pixels, (0, 0) the centre of the first pixel. Beyond the border the
    border's value holds. Computed in float32 or better: bfloat16 cannot tell the pixels of a
    wide image apart.
    """
    dtype = torch.promote_types(image.dtype, torch.float32)
    x, y = (2 * points.to(dtype) + 1).unbind(-1)
    # Divided one by one: a tensor of both sides would fix them in an exported graph.
    grid = torch.stack([x / image.shape[3] - 1, y / image.shape[2] - 1], -1)
    values = F.grid_sample(
        image.to(dtype), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return values.to(image.dtype)


def lattice(height: int, width: int, step: float, device: torch.device | None = None) -> Tensor:
    """Points (x, y) = (j step, i step) of a height x width lattice: (height, width, 2)."""
    y, x = torch.arange(height, device=device), torch.arange(width, device=device)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1) * step
