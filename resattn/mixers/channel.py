"""Channel attention: every channel attends to every channel, over all pixels.

    y = softmax(-x x^T) x,  x as C x pixels

The channel half of dual attention (Fu et al., DANet, CVPR 2019, eq. 3). The code in common use,
guided multi-scale attention (Sinha and Dolz, 2020) included, takes the softmax of max(E) - E,
which is that of -E: channels that resemble each other least weigh most. `negate=False` is the
formula as printed. No parameters; the learned scalar is the "rezero" policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from resattn.mixers.base import GlobalMixer, MixerConfig, positive
from resattn.ops.gram import gram, gram_bytes
from resattn.ops.statistics import Inner, Statistics, crop


@dataclass(frozen=True)
class ChannelConfig(MixerConfig):
    """Channels, and the sign of the similarity."""

    kind: ClassVar[str] = "channel"
    negate: bool = True

    def __post_init__(self) -> None:
        positive(dim=self.dim)


class ChannelAttention(GlobalMixer):
    """Each channel becomes a weighted mean of all channels, weighted by their inner products."""

    layout = "NCHW"
    family = "channel"
    pixel_equivariant = True
    config: ChannelConfig

    def measure(
        self, x: Tensor, context: Tensor | None = None, inner: Inner | None = None
    ) -> Statistics:
        """Inner products of all channels: (B, C, C)."""
        del context
        x = crop(x, inner)
        return Statistics(x.shape[-2] * x.shape[-1], sums=(gram(x[:, None], x[:, None])[:, 0],))

    def forward(
        self, x: Tensor, context: Tensor | None = None, statistics: Statistics | None = None
    ) -> Tensor:
        """`x` (B, C, H, W) with its channels mixed."""
        products = (statistics or self.measure(x, context)).sums[0]
        weights = torch.softmax(-products if self.config.negate else products, -1).to(x.dtype)
        pixels = x.permute(0, 2, 3, 1)
        mixed = pixels.flatten(1, 2) @ weights.transpose(1, 2)
        return mixed.view(pixels.shape).permute(0, 3, 1, 2)

    def radius(self) -> int:
        """0: given the products, pixels are independent."""
        return 0

    def flops(self, height: int, width: int) -> int:
        """The Gram matrix and its product with the image."""
        return 4 * height * width * self.config.dim**2

    def extra_bytes(self, height: int, width: int) -> int:
        """The output, or `gram`'s copies before it."""
        pixels, dim = height * width, self.config.dim
        return max(4 * pixels * dim, gram_bytes(pixels, 2 * dim))
