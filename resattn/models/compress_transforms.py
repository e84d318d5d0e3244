"""From pixels to latents and back: a block cosine transform that learns, plus residual networks.

The linear path starts as the orthonormal cosine transform of 16 x 16 blocks, the networks beside
it start at zero: a fresh model is a transform codec already, and training improves on it. Both
networks work at 1/8 and 1/16 of the size only, behind a pixel-unshuffle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config
from resattn.mixers.base import positive
from resattn.mixers.window import WindowConfig
from resattn.models.compress_levels import LevelScale
from resattn.models.super_resolve import at_most
from resattn.residual import ResidualAttention

MAX_WIDTH, MAX_BLOCKS = 1024, 64
CELL = 16
"""Side of the blocks. The weights of the linear paths are as many times larger than the basis, and
their inputs smaller: at the learning rate of the networks the basis would be lost in noise."""


@dataclass(frozen=True)
class TransformConfig(Config):
    """Shape of the networks beside the linear paths.

    Attributes:
        block: ``gated`` (depthwise, gated by its input) or ``dense`` (two 3 x 3 convolutions).
        fine: Channels at 1/8.
        coarse: Channels at 1/16.
        analysis: Blocks at 1/8 and 1/16 before the latents.
        synthesis: Blocks at 1/16 and 1/8 after the latents.
        heads: Of the window attention at 1/16, 0 for none.
        fine_heads: Of the window attention at 1/8, 0 for none.
    """

    block: Literal["dense", "gated"] = "gated"
    fine: int = 96
    coarse: int = 128
    analysis: tuple[int, int] = (3, 1)
    synthesis: tuple[int, int] = (2, 6)
    heads: int = 4
    fine_heads: int = 0

    def __post_init__(self) -> None:
        positive(fine=self.fine, coarse=self.coarse)
        at_most(MAX_WIDTH, fine=self.fine, coarse=self.coarse)
        at_most(MAX_BLOCKS, analysis=max(self.analysis), synthesis=max(self.synthesis))


class Analysis(nn.Module):
    """Image (B, 3, H, W) in 0..1 to latents (B, C, H/16, W/16), not scaled for any level."""

    def __init__(self, config: TransformConfig, dim: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(3 * CELL**2, dim, 1, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(CELL * cosine_basis(dim)[:, :, None, None])
        self.enter = nn.Conv2d(3 * CELL**2 // 4, config.fine, 1)
        self.level = LevelScale(config.fine)
        self.fine = _blocks(config, config.fine, config.analysis[0], config.fine_heads)
        self.down = nn.Conv2d(config.fine, config.coarse, 3, stride=2, padding=1)
        self.coarse = _blocks(config, config.coarse, config.analysis[1], config.heads)
        self.leave = _zero(nn.Conv2d(config.coarse, dim, 1))

    def forward(self, image: Tensor, levels: Tensor) -> Tensor:
        """The latents of `image` at the levels (B)."""
        image = image - 0.5
        x = self.enter(F.pixel_unshuffle(image, CELL // 2))
        x = self.coarse(self.down(self.fine(x * self.level(levels).to(x.dtype))))
        y: Tensor = self.linear(F.pixel_unshuffle(image / CELL, CELL)) + self.leave(x)
        return y


class Synthesis(nn.Module):
    """Latents (B, C, H/16, W/16) to image (B, 3, H, W), nominally 0..1, not clamped."""

    def __init__(self, config: TransformConfig, dim: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(dim, 3 * CELL**2, 1, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(CELL * cosine_basis(dim).T[:, :, None, None])
        self.enter = nn.Conv2d(dim, config.coarse, 1)
        self.level = LevelScale(config.coarse)
        self.coarse = _blocks(config, config.coarse, config.synthesis[0], config.heads)
        self.up = nn.Conv2d(config.coarse, 4 * config.fine, 1)
        self.fine = _blocks(config, config.fine, config.synthesis[1], config.fine_heads)
        self.leave = _zero(nn.Conv2d(config.fine, 3 * CELL**2 // 4, 1))

    def forward(self, y: Tensor, levels: Tensor) -> Tensor:
        """The image of `y` at the levels (B)."""
        x = self.enter(y)
        x = self.up(self.coarse(x * self.level(levels).to(x.dtype)))
        x = self.leave(self.fine(F.pixel_shuffle(x, 2)))
        return _pixels(_quarters(self.linear(y / CELL)) + x + 0.5)


class DenseBlock(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(dim, dim, 3, padding=1)
        self.second = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Refined features, same shape."""
        y: Tensor = self.second(F.relu(self.first(x)))
        return x + y


class GatedBlock(nn.Module):
    """x + mix(a sigmoid(b)), a and b the halves of a depthwise convolution of the widened x.

    The sigmoid keeps a block from squaring its input: nothing here is normalised.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(dim, 2 * dim, 1)
        self.near = nn.Conv2d(2 * dim, 2 * dim, 3, padding=1, groups=2 * dim)
        self.mix = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Refined features, same shape."""
        a, b = self.near(self.widen(x)).chunk(2, 1)
        y: Tensor = self.mix(a * torch.sigmoid(b))
        return x + y


def _quarters(cells: Tensor) -> Tensor:
    """Cells (B, 3 * 16 * 16, H, W) as their quarters (B, 3 * 8 * 8, 2 H, 2 W)."""
    count, _, height, width = cells.shape
    half = CELL // 2
    split = cells.permute(0, 2, 3, 1).reshape(count, height, width, 3, 2, half, 2, half)
    quarters = split.permute(0, 1, 4, 2, 6, 3, 5, 7)
    return quarters.reshape(count, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)


def _pixels(quarters: Tensor) -> Tensor:
    """`pixel_shuffle` by 8, which takes three times as long on channels_last memory."""
    count, _, height, width = quarters.shape
    half = CELL // 2
    split = quarters.permute(0, 2, 3, 1).reshape(count, height, width, 3, half, half)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(count, 3, half * height, half * width)


def cosine_basis(dim: int) -> Tensor:
    """The `dim` smoothest vectors of an orthonormal basis of 16 x 16 RGB cells: (dim, 768).

    Products of cosines, in one direction of luma and two of chroma. Columns are in the order of
    `pixel_unshuffle`: colour, row, column.
    """
    place = torch.arange(CELL, dtype=torch.float64)
    waves = torch.cos(math.pi / CELL * (place + 0.5) * place[:, None]) * (2 / CELL) ** 0.5
    waves[0] *= 0.5**0.5
    colours = torch.tensor([[1, 1, 1], [-1, -1, 2], [1, -1, 0]], dtype=torch.float64)
    colours = colours / colours.norm(dim=1, keepdim=True)
    basis = torch.einsum("kc,ur,vs->kuvcrs", colours, waves, waves).reshape(3 * CELL**2, -1)
    return basis[_by_fineness(dim)[1]].float()


def cosine_deviations(dim: int) -> Tensor:
    """About how far photographs in 0..1 move the coefficients of `cosine_basis`: (dim).

    A power law of frequency, fitted to 33 photographs of the training set (2026-11-22).
    """
    return 1.7 * (1 + _by_fineness(dim)[0]).pow(-0.67).float()


def _by_fineness(dim: int) -> tuple[Tensor, Tensor]:
    """Squared frequencies and places of the `dim` smoothest of the basis, smoothest first.

    Chroma counts as twelve times finer: of the orders tried, 320 of 768 then lost least energy.
    """
    if not 0 < dim <= 3 * CELL**2:
        raise ValueError(f"a cell has 1 to {3 * CELL**2} latents, not {dim}")
    wave = torch.arange(CELL, dtype=torch.float64)
    luma = wave[:, None] ** 2 + wave**2
    chroma = 12 * luma + 4
    fineness, place = torch.stack([luma, chroma, chroma]).flatten().sort(stable=True)
    return fineness[:dim], place[:dim]


def _blocks(config: TransformConfig, dim: int, count: int, heads: int) -> nn.Sequential:
    """`count` blocks, then cosine window attention where there are heads."""
    block = DenseBlock if config.block == "dense" else GatedBlock
    layers: list[nn.Module] = [block(dim) for _ in range(count)]
    if heads:
        window = WindowConfig(dim=dim, heads=heads, cosine=True, bias="logmlp")
        layers.append(ResidualAttention(dim, window, policy="layerscale:0.1"))
    return nn.Sequential(*layers)


def _zero(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
