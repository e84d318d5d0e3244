"""Mirror padding for any image size, one pixel included."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def reflect(x: Tensor, margin: int) -> Tensor:
    """`x` (B, C, H, W) with `margin` mirrored pixels on each side, the border pixel not repeated.

    Torch refuses margins that reach past the far side; here the mirror goes back and forth, as a
    1 x 1 image needs.
    """
    height, width = x.shape[-2:]
    if margin < min(height, width):
        return F.pad(x, (margin, margin, margin, margin), mode="reflect")
    rows = _mirrored(height, margin, x.device)
    columns = _mirrored(width, margin, x.device)
    return x.index_select(2, rows).index_select(3, columns)


def _mirrored(size: int, margin: int, device: torch.device) -> Tensor:
    period = max(2 * (size - 1), 1)
    index = torch.arange(-margin, size + margin, device=device).remainder(period)
    return torch.where(index < size, index, period - index)
