"""Position biases: what attention logits gain from where key and query stand.

`table`, `mlp` and `logmlp` serve windows and depend on the offset between two pixels of one
window; `InterpolatedMap` serves free positions. All are functions of the offset key - query only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from resattn.config import unknown

BiasKind = Literal["none", "table", "mlp", "logmlp"]


class WindowBias(nn.Module, ABC):
    """A bias per head and pair of pixels of one window."""

    index: Tensor
    offsets: Tensor

    def __init__(self, window: tuple[int, int]) -> None:
        super().__init__()
        self.window = window
        offsets, index = _offsets(window)
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("index", index, persistent=False)

    @abstractmethod
    def values(self) -> Tensor:
        """The bias of each head at each of the (2 h - 1)(2 w - 1) offsets: (offsets, heads)."""

    def forward(self) -> Tensor:
        """The bias of every pair, query first: (heads, h, w, h, w)."""
        values = self.values()
        pairs = values.T[:, self.index.flatten()]
        return pairs.view(-1, *self.window, *self.window)


class TableBias(WindowBias):
    """One learned number per head and offset (Swin)."""

    def __init__(self, heads: int, window: tuple[int, int]) -> None:
        super().__init__(window)
        self.table = nn.Parameter(torch.empty(len(self.offsets), heads))
        nn.init.trunc_normal_(self.table, std=0.02)

    def values(self) -> Tensor:
        """The table."""
        return self.table


class MlpBias(WindowBias):
    """A small network of the offset in pixels (the "dynamic" bias of CRAFT).

    Linear 2 -> p, two steps of LayerNorm, ReLU, Linear p -> p, then LayerNorm, ReLU, Linear
    p -> heads. With p = 1, as released, LayerNorm sees one element and the bias is constant.
    """

    def __init__(self, heads: int, window: tuple[int, int], width: int) -> None:
        super().__init__(window)
        layers: list[nn.Module] = [nn.Linear(2, width)]
        for size in (width, width, heads):
            layers += [nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, size)]
        self.net = nn.Sequential(*layers)

    def values(self) -> Tensor:
        """The network at every offset."""
        values: Tensor = self.net(self.offsets)
        return values


class LogMlpBias(WindowBias):
    """16 sigmoid(MLP(log-spaced offset)), in (0, 16) (Swin V2, eq. 4 and its released code).

    Offsets are scaled to [-8, 8] and mapped to sign(t) log2(1 + |t|) / log2(8).
    """

    def __init__(self, heads: int, window: tuple[int, int], width: int = 512) -> None:
        super().__init__(window)
        reach = torch.tensor([max(side - 1, 1) for side in window])
        scaled = 8 * self.offsets / reach
        self.offsets = scaled.sign() * scaled.abs().log1p() / math.log(8)
        self.net = nn.Sequential(
            nn.Linear(2, width), nn.ReLU(), nn.Linear(width, heads, bias=False)
        )

    def values(self) -> Tensor:
        """The network at every offset, squashed."""
        return 16 * torch.sigmoid(self.net(self.offsets))


def window_bias(
    kind: BiasKind, heads: int, window: tuple[int, int], width: int
) -> WindowBias | None:
    """The bias that `kind` names, with hidden `width` where it has one; None for "none".

    Raises:
        ValueError: An unknown kind.
    """
    if kind == "none":
        return None
    if kind == "table":
        return TableBias(heads, window)
    if kind == "mlp":
        return MlpBias(heads, window, width)
    if kind == "logmlp":
        return LogMlpBias(heads, window, width)
    raise ValueError(unknown("bias", kind, ("none", "table", "mlp", "logmlp")))


def _offsets(window: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """All offsets (dy, dx) between two pixels, and for each pair (query, key) which it is."""
    h, w = window
    dy, dx = torch.arange(1 - h, h), torch.arange(1 - w, w)
    offsets = torch.cartesian_prod(dy, dx).view(-1, 2).float()
    y, x = torch.arange(h).repeat_interleave(w), torch.arange(w).repeat(h)
    rows = y[None] - y[:, None] + h - 1
    columns = x[None] - x[:, None] + w - 1
    return offsets, rows * (2 * w - 1) + columns
