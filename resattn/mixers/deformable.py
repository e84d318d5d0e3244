"""Deformable attention: pixels attend to points of another image that they choose themselves.

    p = lattice + reach tanh(offset(q)),  s = sample(context, p)
    y = proj(softmax(q k(s)^T / sqrt(d)) v(s))

Xia et al., Vision Transformer with Deformable Attention, CVPR 2022, eqs. 2-5, between the slices
of a latent image as in S2LIC, whose own module is not published. Deviation: no position bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from resattn.mixers.base import Mixer, MixerConfig, need, positive
from resattn.ops.attend import attend
from resattn.ops.sampling import lattice, sample


@dataclass(frozen=True)
class DeformableConfig(MixerConfig):
    """Settings of `DeformableAttention`.

    Attributes:
        dim: Channels of the image, a multiple of the heads.
        context_dim: Channels of the image attended to.
        heads: Attention heads.
        step: Pixels between the points of the lattice.
        reach: Largest offset of a point, in pixels.
    """

    kind: ClassVar[str] = "deformable"
    context_dim: int
    heads: int
    step: int = 1
    reach: float = 2.0

    def __post_init__(self) -> None:
        positive(dim=self.dim, context_dim=self.context_dim, heads=self.heads, step=self.step)
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        if self.reach < 0:
            raise ValueError(f"reach must not be negative, not {self.reach}")


class DeformableAttention(Mixer):
    """Each pixel attends to the context at lattice points moved by learned offsets."""

    layout = "NHWC"
    family = "global"
    takes_context = True
    config: DeformableConfig

    def __init__(self, config: DeformableConfig) -> None:
        super().__init__(config)
        dim = config.dim
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(config.context_dim, 2 * dim)
        self.offset = nn.Sequential(
            nn.Conv2d(dim, dim, 3, stride=config.step, padding=1, groups=dim),
            nn.GELU(),
            nn.Conv2d(dim, 2, 1, bias=False),
        )
        self.proj = nn.Linear(dim, dim)

    def points(self, q: Tensor) -> Tensor:
        """Where the queries (B, H, W, C) want the context sampled: (B, h, w, 2), x before y."""
        raw: Tensor = self.offset(q.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        start = lattice(raw.shape[1], raw.shape[2], self.config.step, raw.device)
        return start + self.config.reach * raw.tanh()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`x` (B, H, W, C) attended to samples of `context` (B, H, W, D).

        Raises:
            ValueError: The context is absent or of another height, width or channel count.
        """
        context = need(context, (*x.shape[:3], self.config.context_dim))
        q = self.q(x)
        sampled = sample(context.permute(0, 3, 1, 2), self.points(q)).flatten(2).transpose(1, 2)
        heads = (self.config.heads, -1)
        k, v = self.kv(sampled).unflatten(-1, (2, *heads)).permute(2, 0, 3, 1, 4)
        q = q.flatten(1, 2).unflatten(-1, heads).transpose(1, 2)
        mixed = attend(q, k, v, impl=self.impl, max_bytes=self.max_bytes)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected.view(x.shape)

    def context_like(self, x: Tensor, randn: Callable[..., Tensor]) -> Tensor:
        """A random image of as many pixels and `context_dim` channels."""
        return randn(*x.shape[:3], self.config.context_dim)

    def radius(self) -> None:
        """The whole context matters."""

    def flops(self, height: int, width: int) -> int:
        """Projections, the offset network, and both products of every pixel with every point."""
        dim, n = self.config.dim, height * width
        points = -(-height // self.config.step) * -(-width // self.config.step)
        projections = 4 * n * dim**2 + 4 * points * self.config.context_dim * dim
        return projections + points * dim * (18 + 4) + 4 * n * points * dim

    def extra_bytes(self, height: int, width: int) -> int:
        """Queries, samples, keys, values, the attended values and the output."""
        dim, n = self.config.dim, height * width
        points = -(-height // self.config.step) * -(-width // self.config.step)
        return 4 * (3 * n * dim + points * (self.config.context_dim + 2 * dim))
