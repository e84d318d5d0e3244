"""Transposed attention: channels attend to channels, with all pixels as their features.

    q = dw(pw(context)),  k, v = dw(pw(x))
    y = pw(softmax(tau * unit(q) unit(k)^T) v),  unit over pixels, softmax over channels of a head

Zamir et al., Restormer, CVPR 2022, eq. 1 with q from a second image, as in the high-frequency
block of CRAFT (Li et al., ICCV 2023). Self attention is `context = x`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from resattn.mixers.base import GlobalMixer, MixerConfig, need, positive
from resattn.ops.gram import gram, gram_bytes
from resattn.ops.statistics import Inner, Statistics, crop, sum_pixels

_SMALLEST = 1e-12  # length below which a channel counts as empty


@dataclass(frozen=True)
class TransposedConfig(MixerConfig):
    """Channels of image and context, and the heads that divide them."""

    kind: ClassVar[str] = "transposed"
    heads: int

    def __post_init__(self) -> None:
        positive(dim=self.dim, heads=self.heads)
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")


class TransposedAttention(GlobalMixer):
    """Mixes the channels of each head by their correlation with the context's channels."""

    layout = "NCHW"
    family = "channel"
    takes_context = True
    config: TransposedConfig

    def __init__(self, config: TransposedConfig) -> None:
        super().__init__(config)
        dim = config.dim
        self.temperature = nn.Parameter(torch.ones(config.heads, 1, 1))
        self.q = nn.Sequential(_pointwise(dim, dim), _depthwise(dim))
        self.kv = nn.Sequential(_pointwise(dim, 2 * dim), _depthwise(2 * dim))
        self.proj = _pointwise(dim, dim)

    def measure(
        self, x: Tensor, context: Tensor | None = None, inner: Inner | None = None
    ) -> Statistics:
        """Products of each q with each k channel of a head, and their squared lengths."""
        return self._measure(self._queries(x, context), self.kv(x).chunk(2, 1)[0], inner)

    def forward(
        self, x: Tensor, context: Tensor | None = None, statistics: Statistics | None = None
    ) -> Tensor:
        """`x` (B, C, H, W) with channels mixed by attention to `context` (B, C, H, W).

        Raises:
            ValueError: The context is absent or of another shape.
        """
        k, v = self.kv(x).chunk(2, 1)
        if statistics is None:
            statistics = self._measure(self._queries(x, context), k, None)
        return self._mix(self._weights(statistics), v)

    def _queries(self, x: Tensor, context: Tensor | None) -> Tensor:
        queries: Tensor = self.q(need(context, tuple(x.shape)))
        return queries

    def _measure(self, q: Tensor, k: Tensor, inner: Inner | None) -> Statistics:
        q, k = crop(q, inner), crop(k, inner)
        heads = (self.config.heads, -1)
        products = gram(q.unflatten(1, heads), k.unflatten(1, heads))
        squares = (sum_pixels(q.square()), sum_pixels(k.square()))
        return Statistics(q.shape[-2] * q.shape[-1], sums=(products, *squares))

    def _weights(self, statistics: Statistics) -> Tensor:
        """Weight of each channel in each channel of its head: (B, h, d, d)."""
        products, *squares = statistics.sums
        lengths = (square.sqrt().clamp_min(_SMALLEST) for square in squares)
        q, k = (length.unflatten(1, (self.config.heads, -1)) for length in lengths)
        cosines = products / (q[..., :, None] * k[..., None, :])
        return torch.softmax(cosines.to(self.temperature.dtype) * self.temperature, -1)

    def _mix(self, weights: Tensor, v: Tensor) -> Tensor:
        """proj(weights v), as the one matrix that both make."""
        out = self.proj.weight[:, :, 0, 0].unflatten(1, (self.config.heads, -1))
        matrix = torch.einsum("ohd,bhde->bohe", out, weights).flatten(2)
        pixels = v.permute(0, 2, 3, 1)
        mixed = pixels.flatten(1, 2) @ matrix.transpose(1, 2).to(v.dtype)
        return mixed.view(pixels.shape).permute(0, 3, 1, 2)

    def radius(self) -> int:
        """Of the depthwise convolutions."""
        return 1

    def flops(self, height: int, width: int) -> int:
        """Pointwise and depthwise convolutions, the Gram matrix, both products of `_mix`."""
        dim, per_head = self.config.dim, self.config.dim // self.config.heads
        per_pixel = 8 * dim**2 + 54 * dim + 2 * dim * per_head
        return height * width * per_pixel + 2 * dim**2 * per_head

    def extra_bytes(self, height: int, width: int) -> int:
        """Keys and values before and after a convolution, or all three beside `gram`'s copies."""
        image = 4 * height * width * self.config.dim
        return max(4 * image, 3 * image + gram_bytes(height * width, 2 * self.config.dim))


def _pointwise(dim: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(dim, out, 1, bias=False)


def _depthwise(dim: int) -> nn.Conv2d:
    return nn.Conv2d(dim, dim, 3, padding=1, groups=dim, bias=False)
