"""Guided attention: two rounds of position and channel attention under one semantic code.

Each round attends to a map in space and over channels, and weighs the result with what a small
encoder-decoder makes of the map. The training loss asks that both rounds encode to the same code
and that each decoder gives its input back, which guides attention to what the map is about.

Sinha and Dolz, IEEE JBHI 2020 (multi-scale self-guided attention), here on one map and with a
learned scale that starts at zero, so that an untrained guide changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.mixers.channel import ChannelConfig
from resattn.mixers.position import PositionConfig
from resattn.residual import ResidualAttention

_CODE_WEIGHT, _COPY_WEIGHT = 0.25, 0.1


class Guided(NamedTuple):
    """A map after guided attention, and the part of the training loss that guided it."""

    map: Tensor
    loss: Tensor


class Guide(nn.Module):
    """Guided attention over a map of `dim` channels; identity at the start of training."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = Round(dim)
        self.join = nn.Conv2d(2 * dim, dim, 1)
        self.second = Round(dim)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Guided:
        """`x` (B, C, H, W) plus what both rounds made of it, same shape, and a scalar loss."""
        once, code_once, copy_once = self.first(x)
        again = self.join(torch.cat([x, once * x], 1))
        twice, code_twice, copy_twice = self.second(again)
        loss = _CODE_WEIGHT * F.mse_loss(code_once.float(), code_twice.float())
        loss = loss + _COPY_WEIGHT * F.mse_loss(copy_once.float(), x.float())
        loss = loss + _COPY_WEIGHT * F.mse_loss(copy_twice.float(), again.float())
        return Guided(x + self.scale.to(x.dtype) * twice, loss)


class Round(nn.Module):
    """Position plus channel attention, weighed by the copy an encoder-decoder makes."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        reduction = 8 if dim % 8 == 0 else 1
        position, channel = PositionConfig(dim, reduction), ChannelConfig(dim)
        self.position = ResidualAttention(dim, position, norm="none", policy="rezero")
        self.channel = ResidualAttention(dim, channel, norm="none", policy="rezero")
        self.encode = nn.Sequential(
            nn.Conv2d(dim, dim, 3, 2, 1), nn.ReLU(), nn.Conv2d(dim, dim, 3, 2, 1)
        )
        self.decode = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1), nn.ReLU(), nn.Conv2d(dim, dim, 3, padding=1)
        )
        self.out = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The attended map, the code at a quarter of the resolution, the copy of `x`."""
        code = self.encode(x)
        copy = self.decode(F.interpolate(code, size=x.shape[2:], mode="nearest"))
        attended = self.position(x) + self.channel(x)
        return self.out(attended * torch.sigmoid(copy)), code, copy
