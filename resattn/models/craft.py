"""CRAFT: windows for the low frequencies, convolutions for the high ones, fused by channels.

Li et al., "Feature Modulation Transformer: Cross-Refinement of Global Representation via
High-Frequency Prior for Image Super-Resolution", ICCV 2023. The defaults are the published model,
including its position bias, which is constant, and its shift, which joins opposite borders;
`MENDED` has what won over that at equal steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.bias import BiasKind
from resattn.config import Config
from resattn.mixers.base import positive
from resattn.mixers.transposed import TransposedConfig
from resattn.mixers.window import WindowConfig
from resattn.models.descriptor import ModelDescriptor
from resattn.models.super_resolve import MAX_BLOCKS, MAX_SCALE, at_most
from resattn.residual import ResidualAttention

_MEAN = (0.4488, 0.4371, 0.4040)
_FFN_GROWTH = 2.66
_PER_BLOCK = 2  # window blocks beside each convolution block


@dataclass(frozen=True)
class CraftConfig(Config):
    """Settings of CRAFT.

    Attributes:
        scale: Enlargement.
        dim: Channels.
        groups: Residual groups.
        depth: Fusions per group.
        heads: Heads of window and channel attention.
        window: Height and width of the windows of the first half of the heads; the other half
            uses them transposed.
        bias: Position bias of the windows.
        wrap: Shifted windows join opposite borders of the image.
    """

    scale: int = 4
    dim: int = 48
    groups: int = 4
    depth: int = 2
    heads: int = 6
    window: tuple[int, int] = (4, 16)
    bias: BiasKind = "mlp"
    wrap: bool = True

    def __post_init__(self) -> None:
        positive(scale=self.scale, groups=self.groups, depth=self.depth)
        at_most(MAX_SCALE, scale=self.scale)
        at_most(MAX_BLOCKS, groups=self.groups, depth=self.depth)

    @property
    def bias_width(self) -> int:
        """Hidden width of the published bias network: 1 at 48 channels, which kills it."""
        return max(1, self.dim // 32)

    def mixer(self, shifted: bool) -> WindowConfig:
        """The window attention of an even or an odd block."""
        shift = (self.window[0] // 2, self.window[1] // 2) if shifted else (0, 0)
        return WindowConfig(
            dim=self.dim,
            heads=self.heads,
            window=self.window,
            shift=shift,
            crossed=True,
            bias=self.bias,
            bias_width=self.bias_width,
            value_conv=True,
            wrap=self.wrap,
        )


MENDED = CraftConfig(wrap=False)
"""The published model with shifted windows that stop at borders. A position bias that works
(`bias="table"`) lost at equal steps (`bench.super_resolve_ablation`)."""


class WindowBlock(nn.Module):
    """Window attention, then a two-layer network per pixel, each with norm and residual."""

    def __init__(self, config: CraftConfig, *, shifted: bool) -> None:
        super().__init__()
        dim = config.dim
        self.attention = ResidualAttention(dim, config.mixer(shifted), layout="NHWC")
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """The refined features (B, H, W, C)."""
        x = self.attention(x)
        refined: Tensor = self.mlp(self.norm(x))
        return x + refined


class EdgeBlock(nn.Module):
    """High frequencies: half the channels through a convolution, half through local maxima."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        half = dim // 2
        self.conv = nn.Conv2d(half, half, 3, padding=1)
        self.peak = nn.Conv2d(half, half, 1)
        self.merge = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The refined features (B, C, H, W)."""
        smooth, sharp = x.chunk(2, 1)
        edges = F.gelu(self.conv(smooth))
        peaks = F.gelu(self.peak(F.max_pool2d(sharp, 3, 1, 1)))
        refined: Tensor = self.merge(torch.cat([edges, peaks], 1))
        return x + refined


class GatedFfn(nn.Module):
    """Half the channels, after a depthwise convolution, gate the other half."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = int(dim * _FFN_GROWTH)
        self.expand = nn.Conv2d(dim, 2 * hidden, 1, bias=False)
        self.local = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.merge = nn.Conv2d(hidden, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The refined features (B, C, H, W)."""
        gate, value = self.local(self.expand(x)).chunk(2, 1)
        refined: Tensor = self.merge(F.gelu(gate) * value)
        return refined


class FusionBlock(nn.Module):
    """The low frequencies, their channels mixed as the high frequencies ask."""

    def __init__(self, config: CraftConfig) -> None:
        super().__init__()
        mixer = TransposedConfig(dim=config.dim, heads=config.heads)
        self.attention = ResidualAttention(config.dim, mixer)
        self.norm = nn.LayerNorm(config.dim)
        self.ffn = GatedFfn(config.dim)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """The fused features (B, C, H, W)."""
        fused: Tensor = self.attention(low, high)
        refined: Tensor = self.ffn(_normed(self.norm, fused))
        return fused + refined


class CrossRefinement(nn.Module):
    """Windows and edges on the same features, then their fusion."""

    def __init__(self, config: CraftConfig) -> None:
        super().__init__()
        blocks = (WindowBlock(config, shifted=bool(i % 2)) for i in range(_PER_BLOCK))
        self.low = nn.Sequential(*blocks)
        self.high = EdgeBlock(config.dim)
        self.fuse = FusionBlock(config)

    def forward(self, x: Tensor) -> Tensor:
        """The refined features (B, C, H, W)."""
        low: Tensor = self.low(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        refined: Tensor = self.fuse(low, self.high(x))
        return refined


class Group(nn.Module):
    """A few cross refinements and a convolution around a residual."""

    def __init__(self, config: CraftConfig) -> None:
        super().__init__()
        self.refine = nn.Sequential(*(CrossRefinement(config) for _ in range(config.depth)))
        self.conv = nn.Conv2d(config.dim, config.dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The refined features (B, C, H, W)."""
        refined: Tensor = self.conv(self.refine(x))
        return x + refined


class Craft(nn.Module):
    """Enlarges RGB images.

    Channel attention measures the whole image: tiles are exact only after a sweep of its
    statistics, and an image whose sides are no multiples of the window's long side must be padded
    for the published model to behave as published.
    """

    mean: Tensor

    def __init__(self, config: CraftConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.head = nn.Conv2d(3, config.dim, 3, padding=1)
        self.groups = nn.Sequential(*(Group(config) for _ in range(config.groups)))
        self.norm = nn.LayerNorm(config.dim)
        self.conv = nn.Conv2d(config.dim, config.dim, 3, padding=1)
        self.tail = nn.Conv2d(config.dim, 3 * config.scale**2, 3, padding=1)

    @property
    def descriptor(self) -> ModelDescriptor:
        """Facts that tiling and padding depend on."""
        side = max(self.config.window)
        return ModelDescriptor(
            name=f"craft.x{self.config.scale}",
            in_channels=3,
            out_channels=3,
            scale=self.config.scale,
            multiple=side if self.config.wrap else 1,
            grid=(side, side),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Enlarged image (B, 3, sH, sW) of `x` (B, 3, H, W), RGB, both nominally 0..1."""
        return F.pixel_shuffle(self.phases(x), self.config.scale)

    def phases(self, x: Tensor) -> Tensor:
        """The enlarged image before its pixels are interleaved: (B, 3 s², H, W)."""
        features = self.head(x - self.mean.to(x.dtype))
        deep = self.conv(_normed(self.norm, self.groups(features)))
        correction: Tensor = self.tail(features + deep)
        offset = self.mean.to(x.dtype).repeat_interleave(self.config.scale**2, 1)
        return correction + offset


def _normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Layer norm over the channels of (B, C, H, W)."""
    normed: Tensor = norm(x.permute(0, 2, 3, 1))
    return normed.permute(0, 3, 1, 2)
