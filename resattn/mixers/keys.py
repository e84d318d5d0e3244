"""Attention of every pixel to a few free points, with a bias from where they lie.

    y = proj(softmax(q k^T / sqrt(d) + g(key position - pixel position)) v)

The bridging attention of RelationNet++ (Chi, Wei, Hu, NeurIPS 2020, eqs. 3-5): keys are corners
and centres of likely objects. Memory grows with pixels times keys, never with pixels squared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from resattn.bias import PointBias
from resattn.mixers.base import Mixer, MixerConfig, positive
from resattn.ops.attend import attend


@dataclass(frozen=True)
class Keys:
    """Points that an image's pixels may attend to.

    Attributes:
        features: (B, K, C).
        positions: (B, K, 2), x before y, in pixels of the input picture.
        cell: Pixels of the picture per pixel of the feature map; its first pixel is centred at
            cell / 2.
    """

    features: Tensor
    positions: Tensor
    cell: float = 1.0


@dataclass(frozen=True)
class KeyConfig(MixerConfig):
    """Settings of `KeyAttention`.

    Attributes:
        dim: Channels, a multiple of the heads.
        heads: Attention heads.
        extent: Units over which the position bias is told apart, half to each side.
        unit: Pixels of the picture per unit.
        published: Read the bias as the released code does, see `PointBias`.
    """

    kind: ClassVar[str] = "keys"
    heads: int = 8
    extent: int = 400
    unit: float = 8.0
    published: bool = False

    def __post_init__(self) -> None:
        positive(dim=self.dim, heads=self.heads, extent=self.extent)
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        if self.unit <= 0:
            raise ValueError(f"unit must be above zero, not {self.unit}")


class KeyAttention(Mixer):
    """Each pixel attends to the same few points.

    Args:
        config: Its settings.
        bias: A position bias shared with other mixers and registered by its owner; its own where
            it is None.
    """

    layout = "NHWC"
    family = "keys"
    takes_context = True
    config: KeyConfig
    bias: PointBias

    def __init__(self, config: KeyConfig, bias: PointBias | None = None) -> None:
        super().__init__(config)
        self.q = nn.Linear(config.dim, config.dim)
        self.kv = nn.Linear(config.dim, 2 * config.dim)
        self.proj = nn.Linear(config.dim, config.dim)
        if bias is None:
            self.bias = PointBias(config.heads, config.extent, config.unit, config.published)
        else:  # its owner holds it: a state dict must not list shared weights twice
            self.__dict__["bias"] = bias

    def forward(self, x: Tensor, context: Keys | None = None) -> Tensor:
        """`x` (B, H, W, C) attended to the points of `context`.

        Raises:
            ValueError: The context is absent or has another batch or channel count.
        """
        if context is None or context.features.shape[::2] != x.shape[::3]:
            got = None if context is None else tuple(context.features.shape)
            wanted = f"({x.shape[0]}, K, {x.shape[3]})"
            raise ValueError(f"context must be Keys with features {wanted}, not {got}")
        heads = (self.config.heads, -1)
        q = self.q(x).flatten(1, 2).unflatten(-1, heads).transpose(1, 2)
        k, v = self.kv(context.features).unflatten(-1, (2, *heads)).permute(2, 0, 3, 1, 4)
        bias = self.bias(context.positions, x.shape[1], x.shape[2], context.cell)
        mixed = attend(q, k, v, bias=bias, impl=self.impl, max_bytes=self.max_bytes)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected.view(x.shape)

    def context_like(self, x: Tensor, randn: Callable[..., Tensor]) -> Keys:
        """Fifty points around the image."""
        batch, height, width, dim = x.shape
        spread = randn(batch, 50, 2) * max(height, width) / 2
        return Keys(randn(batch, 50, dim), spread + x.new_tensor([width, height]) / 2)

    def radius(self) -> int:
        """0: given the points, pixels are independent."""
        return 0

    def flops(self, height: int, width: int, keys: int = 50) -> int:
        """Projections of pixels and points, both products, and the bias curves."""
        dim, n = self.config.dim, height * width
        curves = 2 * 2 * (self.config.extent + 1) * self.bias.waves * 2 * self.config.heads
        return 4 * dim**2 * (n + keys) + 4 * n * keys * dim + curves

    def extra_bytes(self, height: int, width: int, keys: int = 50) -> int:
        """Queries, attended values and output, and the bias of every pixel and point."""
        dim, bias = self.config.dim, keys * self.config.heads
        logarithm = dim + 3 * bias if self.config.published else 0
        return 4 * height * width * max(3 * dim + bias, logarithm)
