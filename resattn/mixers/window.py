"""Attention inside windows: square or rectangular, shifted, dot-product or cosine.

    y = proj(softmax(scale * q k^T + bias) v),  q, k, v = linear(x), within each window

Swin (Liu et al., ICCV 2021, eq. 4); cosine logits and log-spaced bias of Swin V2 (CVPR 2022,
eqs. 2-4), used by S2LIC; crossed 4 x 16 / 16 x 4 windows and the depthwise branch on the values
of CRAFT (Li et al., ICCV 2023). Deviations: windows cut by the border are smaller instead of
padded, a shift moves the grid instead of the image, and cosine windows keep the bias of k.
`wrap` restores the cyclic shift without a mask with which CRAFT was released.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.bias import BiasKind, WindowBias, window_bias
from resattn.mixers.base import Mixer, MixerConfig, positive
from resattn.ops.attend import attend, joined
from resattn.ops.windows import Shape, over_regions, spans


@dataclass(frozen=True)
class WindowConfig(MixerConfig):
    """Settings of `WindowAttention`.

    Attributes:
        dim: Channels, a multiple of the heads.
        heads: Attention heads, in all.
        window: Height and width of a window in pixels.
        shift: Where the first grid line lies, smaller than the window.
        crossed: Half the heads use the transposed window and shift.
        cosine: Logits are cosines times a learned factor.
        bias: Position bias.
        bias_width: Hidden width of the biases that are networks.
        value_conv: Add a depthwise 3 x 3 convolution of the values.
        wrap: Shift cyclically, so that windows join opposite borders.
    """

    kind: ClassVar[str] = "window"
    heads: int
    window: Shape = (8, 8)
    shift: Shape = (0, 0)
    crossed: bool = False
    cosine: bool = False
    bias: BiasKind = "table"
    bias_width: int = 64
    value_conv: bool = False
    wrap: bool = False

    def __post_init__(self) -> None:
        positive(dim=self.dim, heads=self.heads, height=self.window[0], width=self.window[1])
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        if self.crossed and self.heads % 2:
            raise ValueError(f"crossed windows need an even number of heads, not {self.heads}")
        if any(not 0 <= s < w for s, w in zip(self.shift, self.window, strict=True)):
            raise ValueError(f"shift {self.shift} must be smaller than the window {self.window}")


class WindowAttention(Mixer):
    """Each pixel attends to the pixels of its window."""

    layout = "NHWC"
    family = "window"
    config: WindowConfig

    def __init__(self, config: WindowConfig) -> None:
        super().__init__(config)
        turned = (config.window[::-1], config.shift[::-1])
        self.grids = [(config.window, config.shift), turned][: 1 + config.crossed]
        heads = config.heads // len(self.grids)
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.proj = nn.Linear(config.dim, config.dim)
        self.bias = nn.ModuleList(
            bias
            for window, _ in self.grids
            if (bias := window_bias(config.bias, heads, window, config.bias_width)) is not None
        )
        if config.cosine:
            self.log_scale = nn.Parameter(torch.full((config.heads, 1, 1), math.log(10)))
        if config.value_conv:
            self.value_conv = nn.Conv2d(config.dim, config.dim, 3, padding=1, groups=config.dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`x` (B, H, W, C), each pixel a weighted mean over its window, projected."""
        del context
        images = [self._through_grid(x, i) for i in range(len(self.grids))]
        mixed, *value = (joined(list(parts), -1) for parts in zip(*images, strict=True))
        if self.config.value_conv:
            mixed = mixed + self.value_conv(value[0].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        projected: Tensor = self.proj(mixed)
        return projected

    def _through_grid(self, x: Tensor, i: int) -> tuple[Tensor, ...]:
        """The attended values of grid `i` (B, H, W, C') and, for `value_conv`, the values."""
        window, shift = self.grids[i]
        bias = self.bias[i]() if len(self.bias) else None
        mix = partial(self._within, i, self._projection(i), bias)
        if not (self.config.wrap and any(shift)):
            return over_regions(x, window, shift, mix)
        rolled = x.roll((-shift[0], -shift[1]), (1, 2))
        return tuple(t.roll(shift, (1, 2)) for t in over_regions(rolled, window, (0, 0), mix))

    def _within(
        self,
        i: int,
        projection: tuple[Tensor, Tensor],
        bias: Tensor | None,
        tokens: Tensor,
        shape: Shape,
    ) -> tuple[Tensor, ...]:
        """Attention within windows of `shape`, (B', n, C) to (B', n, C'), and the values."""
        heads = self.config.heads // len(self.grids)
        qkv = F.linear(tokens, *projection).unflatten(-1, (3, heads, -1))
        if self.config.cosine:
            qkv = self._unit(qkv, i)
        q, k, v = (t.transpose(1, 2) for t in qkv.unbind(2))
        scale = 1.0 if self.config.cosine else None
        if bias is not None:
            h, w = shape
            bias = bias[:, :h, :w, :h, :w].reshape(heads, h * w, h * w)
        mixed = attend(q, k, v, bias=bias, scale=scale, impl=self.impl, max_bytes=self.max_bytes)
        mixed = mixed.transpose(1, 2).flatten(2)
        return (mixed, qkv[:, :, 2].flatten(2)) if self.config.value_conv else (mixed,)

    def _unit(self, qkv: Tensor, i: int) -> Tensor:
        """`qkv` (B', n, 3, h, d), queries and keys of length one, the queries times their scale.

        One pass over all three, since it is contiguous: half the time of one over q and k alone.
        """
        lengths = torch.linalg.vector_norm(qkv, dim=-1, keepdim=True, dtype=self.log_scale.dtype)
        q, k, v = lengths.clamp_min(1e-12).unbind(2)
        scale = self.log_scale.view(len(self.grids), -1, 1)[i].clamp_max(math.log(100)).exp()
        unit: Tensor = qkv * torch.stack([scale / q, 1 / k, torch.ones_like(v)], 2).to(qkv.dtype)
        return unit

    def _projection(self, i: int) -> tuple[Tensor, Tensor]:
        """The rows of `qkv` that serve grid `i`."""
        weight = self.qkv.weight.unflatten(0, (3, len(self.grids), -1))[:, i].flatten(0, 1)
        bias = self.qkv.bias.unflatten(0, (3, len(self.grids), -1))[:, i].flatten()
        return weight, bias

    def radius(self) -> int | None:
        """The far side of a window; the whole image where the shift wraps around."""
        wraps = self.config.wrap and any(self.config.shift)
        return None if wraps else max(*self.config.window, 2) - 1

    def grid(self) -> Shape:
        """A window, or the square that holds both windows if they are crossed."""
        h, w = self.config.window
        return (math.lcm(h, w),) * 2 if self.config.crossed else (h, w)

    def flops(self, height: int, width: int) -> int:
        """Four projections, both products of each pair within a window, the depthwise branch."""
        dim, pixels = self.config.dim, height * width
        products = sum(self._pairs(height, width, i) for i in range(len(self.grids)))
        depthwise = 18 * dim * pixels if self.config.value_conv else 0
        bias = sum(bias.flops() for bias in self.bias if isinstance(bias, WindowBias))
        return 8 * dim**2 * pixels + 4 * dim // len(self.grids) * products + depthwise + bias

    def _pairs(self, height: int, width: int, i: int) -> int:
        """Query-key pairs in all windows of grid `i`."""
        window, shift = self.grids[i]
        shift = (0, 0) if self.config.wrap else shift
        sides = zip((height, width), window, shift, strict=True)
        return math.prod(
            sum((part.stop - part.start) * length for part, length in spans(*side))
            for side in sides
        )

    def extra_bytes(self, height: int, width: int) -> int:
        """Windows, projections and attended values of a grid, or the images joined after it."""
        n, branch = len(self.grids), 1 + self.config.value_conv
        window, shift = self.grids[0]
        parts = [spans(*side) for side in zip((height, width), window, shift, strict=True)]
        largest = math.prod(max(part.stop - part.start for part, _ in side) for side in parts)
        whole = largest == height * width and not self.config.wrap
        within = largest / (height * width) * (1 + (4 + 3 * self.config.cosine) / n)
        within += (n - whole) * branch / n
        after = branch * (1 + (n > 1)) + 2 * self.config.value_conv
        image = 4 * height * width * self.config.dim
        biases = 4 * self.config.heads // n * math.prod(window) ** 2 * len(self.bias[:1])
        return int(image * max(within, after)) + biases
