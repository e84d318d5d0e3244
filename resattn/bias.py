"""Position biases: what attention logits gain from where key and query stand.

`table`, `mlp` and `logmlp` serve windows, where key and query are pixels of one window;
`PointBias` serves free points. All depend on the offset from query to key only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

    def flops(self) -> int:
        """Of the network that `values` runs, if it is one."""
        linear = [m for m in self.modules() if isinstance(m, nn.Linear)]
        return 2 * len(self.offsets) * sum(m.in_features * m.out_features for m in linear)

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


class PointBias(nn.Module):
    """A bias per head between every pixel of a map and a set of free points.

    A linear map of sines and cosines of the offset (RelationNet++, sec. 3.3), tabled at whole
    units and interpolated. Half of the waves run along x and half along y, so the table over
    (x, y) is a sum of one curve per axis, and so is its bilinear interpolation: two curves of
    `extent` + 1 values stand for a table of their square, and each is read once per row or column
    and point instead of once per pixel and point.

    Args:
        heads: Attention heads.
        extent: Units told apart, half to each side; beyond, the border's value holds.
        unit: Pixels of the picture per unit.
        published: As in the released code: the logarithm of the value, at least 1e-6, which keeps
            most of a fresh table from learning; and units stretched by (extent + 1) / extent.
        waves: Frequencies per axis, 1000 ** (-i / waves).
    """

    table: Tensor

    def __init__(
        self,
        heads: int,
        extent: int,
        unit: float,
        published: bool = False,
        waves: int = 64,
    ) -> None:
        super().__init__()
        self.extent, self.unit, self.published, self.waves = extent, unit, published, waves
        self.map = nn.Linear(4 * waves, heads)
        nn.init.normal_(self.map.weight, std=0.01)
        nn.init.zeros_(self.map.bias)
        offsets = torch.arange(extent + 1, dtype=torch.float64) - extent / 2
        phases = offsets[:, None] * 1000 ** (-torch.arange(waves, dtype=torch.float64) / waves)
        self.register_buffer("table", torch.cat([phases.sin(), phases.cos()], 1), persistent=False)

    def forward(self, points: Tensor, height: int, width: int, cell: float) -> Tensor:
        """The bias of `points` (B, K, 2), x before y, seen from a map: (B, heads, H W, K).

        Args:
            points: In pixels of the picture.
            height: Rows of the map.
            width: Columns of the map.
            cell: Pixels of the picture per pixel of the map.
        """
        along_x, along_y = self.map.weight.chunk(2, 1)
        with torch.autocast(points.device.type, enabled=False):
            x = self._curve(along_x, points[:, None, :, 0] - _centres(width, cell, points))
            y = self._curve(along_y, points[:, None, :, 1] - _centres(height, cell, points))
            x = x + self.map.bias[:, None, None]
        value = x[:, :, None] + y[:, :, :, None]
        if self.published:
            value = value.clamp_min(1e-6).log()
        return value.flatten(2, 3)

    def _curve(self, weight: Tensor, offset: Tensor) -> Tensor:
        """One axis of the table at `offset` (B, side, K), in pixels: (B, heads, side, K)."""
        curve = F.linear(self.table.to(weight.dtype), weight)
        stretch = 1 + 1 / self.extent if self.published else 1.0
        place = (offset / self.unit * stretch + self.extent / 2).clamp(0, self.extent)
        left = place.detach().floor().clamp_max(self.extent - 1)
        index = left.long()
        part = (place - left)[..., None]
        value: Tensor = curve[index] * (1 - part) + curve[index + 1] * part
        return value.permute(0, 3, 1, 2).contiguous()


def _centres(side: int, cell: float, like: Tensor) -> Tensor:
    """Pixel centres of one side in pixels of the picture: (side, 1)."""
    return ((torch.arange(side, device=like.device) + 0.5) * cell)[:, None]
