"""Position attention: every pixel attends to every pixel.

    y = softmax(q k^T) v,  q, k = linear C -> C / r,  v = linear C -> C

The position half of dual attention (Fu et al., DANet, CVPR 2019, eqs. 1-2) as used in guided
multi-scale attention (Sinha and Dolz, 2020); logits are not divided by sqrt(d). Its learned
scalar, zero at first, is the "rezero" policy of `ResidualAttention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from resattn.mixers.base import Mixer, MixerConfig, positive
from resattn.ops.attend import attend


@dataclass(frozen=True)
class PositionConfig(MixerConfig):
    """Channels, and how much narrower queries and keys are."""

    kind: ClassVar[str] = "position"
    reduction: int = 8

    def __post_init__(self) -> None:
        positive(dim=self.dim, reduction=self.reduction)
        if self.dim % self.reduction:
            raise ValueError(f"dim {self.dim} is not a multiple of reduction {self.reduction}")


class PositionAttention(Mixer):
    """Each pixel becomes a weighted mean of all pixels that resemble it."""

    layout = "NHWC"
    family = "global"
    pixel_equivariant = True
    config: PositionConfig

    def __init__(self, config: PositionConfig) -> None:
        super().__init__(config)
        narrow = config.dim // config.reduction
        self.q = nn.Linear(config.dim, narrow)
        self.k = nn.Linear(config.dim, narrow)
        self.v = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`x` (B, H, W, C) attended to itself, or to the pixels of `context` (B, H', W', C).

        A tile whose context is the whole image gives what the whole image gives there.
        """
        keys = (x if context is None else context).flatten(1, 2)
        q, k, v = (t[:, None] for t in (self.q(x.flatten(1, 2)), self.k(keys), self.v(keys)))
        mixed = attend(q, k, v, scale=1.0, impl=self.impl, max_bytes=self.max_bytes)
        return mixed[:, 0].view(x.shape)

    def radius(self) -> None:
        """The whole image matters."""

    def flops(self, height: int, width: int) -> int:
        """Three projections and both products of every pair of pixels."""
        n, dim, narrow = height * width, self.config.dim, self.config.dim // self.config.reduction
        return 2 * n * dim * (2 * narrow + dim) + 2 * n**2 * (narrow + dim)

    def extra_bytes(self, height: int, width: int) -> int:
        """Queries and keys, also padded for the fused kernel, values, output, one block of logits.

        The block is that of torch's CPU kernel, 256 queries by 512 keys for each thread.
        """
        narrow, pixels = self.config.dim // self.config.reduction, height * width
        block = 4 * min(pixels, 256) * min(pixels, 512) * torch.get_num_threads()
        return 4 * pixels * (2 * narrow + 4 * self.config.dim) + block
