"""Five maps of one width, at strides 8 to 128, and the convolutions detectors are made of.

Reference: Lin et al., Feature Pyramid Networks, CVPR 2017, sec. 3; the two coarsest levels as in
RetinaNet (Lin et al., ICCV 2017) and FCOS (Tian et al., ICCV 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.models.wound_unet import ChannelNorm

Norm = Literal["none", "channel", "group"]
Extra = Literal["input", "output", "output-relu"]
STRIDES: Final = (8, 16, 32, 64, 128)


def conv_block(dim_in: int, dim: int, norm: Norm, kernel: int = 3, relu: bool = True) -> nn.Module:
    """Convolution, norm and ReLU; a bias where nothing follows that would take it away.

    "channel" normalises each pixel, "group" 32 groups of channels over the whole image, as
    published detectors do.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(dim_in, dim, kernel, padding=kernel // 2, bias=norm == "none")
    ]
    if norm != "none":
        layers.append(ChannelNorm(dim) if norm == "channel" else nn.GroupNorm(32, dim))
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


def last_conv(dim: int, out: int, bias: float = 0.0) -> nn.Conv2d:
    """A convolution whose answers start near `bias` everywhere."""
    conv = nn.Conv2d(dim, out, 3, padding=1)
    nn.init.normal_(conv.weight, std=0.01)
    if conv.bias is not None:
        nn.init.constant_(conv.bias, bias)
    return conv


class Pyramid(nn.Module):
    """Top-down pathway over three maps, and two coarser levels.

    Args:
        widths: Channels of the maps at strides 8, 16, 32.
        width: Channels of every level.
        extra: What the level of stride 64 is made of: the encoder's last map, the pyramid's, or
            the pyramid's with a ReLU between the two extra levels.
        norm: After each convolution.
    """

    def __init__(self, widths: Sequence[int], width: int, extra: Extra, norm: Norm) -> None:
        super().__init__()
        self.extra = extra
        self.lateral = nn.ModuleList(conv_block(w, width, norm, 1, relu=False) for w in widths)
        self.smooth = nn.ModuleList(conv_block(width, width, norm, relu=False) for _ in widths)
        coarse = widths[-1] if extra == "input" else width
        self.coarser = nn.ModuleList(_halving(dim, width, norm) for dim in (coarse, width))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps (B, C_l, H_l, W_l) at strides 8, 16, 32 to five of (B, width, H_l, W_l)."""
        merged = [lateral(m) for lateral, m in zip(self.lateral, maps, strict=True)]
        for fine in (1, 0):
            size = merged[fine].shape[2:]
            merged[fine] = merged[fine] + F.interpolate(merged[fine + 1], size=size)
        levels = [smooth(m) for smooth, m in zip(self.smooth, merged, strict=True)]
        levels.append(self.coarser[0](maps[-1] if self.extra == "input" else levels[-1]))
        last = F.relu(levels[-1]) if self.extra == "output-relu" else levels[-1]
        return [*levels, self.coarser[1](last)]


def _halving(dim_in: int, dim: int, norm: Norm) -> nn.Module:
    block = conv_block(dim_in, dim, norm, relu=False)
    block[0].stride = (2, 2)  # type: ignore[index]  # a Sequential
    return block


class Cells(NamedTuple):
    """The cells of all levels, finest first, row by row.

    Attributes:
        corners: Upper left corner of each, x before y, in pixels of the picture: (P, 2).
        strides: Side of each: (P).
        sizes: Rows and columns of each level.
    """

    corners: Tensor
    strides: Tensor
    sizes: tuple[tuple[int, int], ...]

    @property
    def centres(self) -> Tensor:
        """(P, 2), in pixels of the picture."""
        return self.corners + self.strides[:, None] / 2

    @property
    def counts(self) -> list[int]:
        """Cells of each level."""
        return [math.prod(size) for size in self.sizes]


def cells_of(maps: Sequence[Tensor]) -> Cells:
    """The cells of the levels' maps (B, C, H, W)."""
    corners, strides = [], []
    device = maps[0].device
    for level, stride in zip(maps, STRIDES, strict=True):
        rows, columns = (torch.arange(n, device=device) * float(stride) for n in level.shape[2:])
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        corners.append(torch.stack([x, y], -1).flatten(0, 1))
        strides.append(torch.full_like(corners[-1][:, 0], stride))
    sizes = tuple((level.shape[2], level.shape[3]) for level in maps)
    return Cells(torch.cat(corners), torch.cat(strides), sizes)


def flat(maps: Sequence[Tensor], dim: int) -> Tensor:
    """Maps (B, A dim, H, W) as one list of vectors in the order of `Cells`: (B, A P, dim)."""
    parts = [m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, dim) for m in maps]
    return torch.cat(parts, 1)
