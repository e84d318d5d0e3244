"""ResNet-18 and ResNet-50 as encoders: three feature maps, at strides 8, 16 and 32.

Batch norms are folded into the convolutions, as in `resattn.models.lite_encoder` and for the same
reasons; the last convolution of a fresh block starts at zero, so that depth costs nothing at the
start (Zhang, Dauphin and Ma, ICLR 2019). The stride of a bottleneck lies on its 3 x 3 convolution.

Reference: He et al., CVPR 2016, table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Depth = Literal[18, 50]
_BLOCKS: Final[Mapping[Depth, tuple[int, ...]]] = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
_EXPANSION: Final[Mapping[Depth, int]] = {18: 1, 50: 4}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NORM_EPS: Final = 1e-5


class Block(nn.Module):
    """Two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1, beside the identity or a projection."""

    def __init__(self, dim_in: int, dim: int, stride: int, expansion: int) -> None:
        super().__init__()
        out = dim * expansion
        if expansion == 1:
            shapes = [(dim_in, dim, 3, stride), (dim, dim, 3, 1)]
        else:
            shapes = [(dim_in, dim, 1, 1), (dim, dim, 3, stride), (dim, out, 1, 1)]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, kernel, step, kernel // 2) for a, b, kernel, step in shapes
        )
        nn.init.zeros_(self.convs[-1].weight)  # type: ignore[arg-type]  # a convolution
        same = stride == 1 and dim_in == out
        self.short = nn.Identity() if same else nn.Conv2d(dim_in, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, C, H, W) to (B, D, H / stride, W / stride)."""
        y = self.convs[0](x)
        for conv in self.convs[1:]:
            y = conv(F.relu(y))
        return F.relu(self.short(x) + y)


class ResNet(nn.Module):
    """ResNet without its classifier."""

    mean: Tensor
    std: Tensor

    def __init__(self, depth: Depth) -> None:
        super().__init__()
        expansion = _EXPANSION[depth]
        self.widths = tuple(dim * expansion for dim in (128, 256, 512))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        self.stem = nn.Conv2d(3, 64, 7, 2, 3)
        self.stages = nn.ModuleList()
        dim_in = 64
        for index, count in enumerate(_BLOCKS[depth]):
            dim = 64 << index
            blocks = []
            for place in range(count):
                stride = 2 if index and place == 0 else 1
                blocks.append(Block(dim_in, dim, stride, expansion))
                dim_in = dim * expansion
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """RGB (B, 3, H, W) in 0..1, sides multiples of 32, to maps at strides 8, 16, 32."""
        x = F.max_pool2d(F.relu(self.stem((x - self.mean) / self.std)), 3, 2, 1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


@torch.no_grad()
def folded(conv: Tensor, norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution without bias, followed by a batch norm.

    Args:
        conv: Its weight (D, C, h, w).
        norm: ``weight``, ``bias``, ``running_mean``, ``running_var``, each (D).
    """
    gain = norm["weight"] * torch.rsqrt(norm["running_var"] + _NORM_EPS)
    return conv * gain[:, None, None, None], norm["bias"] - norm["running_mean"] * gain
