"""Additive attention gate: a coarser signal decides which pixels of a skip connection pass.

    y = x * sigmoid(psi(relu(W_x x + W_g g)))

Oktay et al., Attention U-Net, 2018, eqs. 1-2, at one resolution: the caller resizes `g`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from resattn.mixers.base import Mixer, MixerConfig, need, positive
from resattn.ops.gate import gate


@dataclass(frozen=True)
class AdditiveConfig(MixerConfig):
    """Channels of the image, of the gating signal, and of the space both are compared in."""

    kind: ClassVar[str] = "additive"
    context_dim: int
    hidden: int

    def __post_init__(self) -> None:
        positive(dim=self.dim, context_dim=self.context_dim, hidden=self.hidden)


class AdditiveGate(Mixer):
    """Gates each pixel by how `x` agrees with a signal of the same height and width."""

    layout = "NHWC"
    family = "gate"
    takes_context = True
    pixel_equivariant = True
    config: AdditiveConfig

    def __init__(self, config: AdditiveConfig) -> None:
        super().__init__(config)
        self.image = nn.Linear(config.dim, config.hidden, bias=False)
        self.signal = nn.Linear(config.context_dim, config.hidden)
        self.psi = nn.Linear(config.hidden, 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`x` (B, H, W, C) times a gate in (0, 1) per pixel, from `context` (B, H, W, G).

        Raises:
            ValueError: The context is absent or of another height, width or channel count.
        """
        context = need(context, (*x.shape[:3], self.config.context_dim))
        logits = self.psi(F.relu(self.image(x) + self.signal(context)))
        return x * gate(logits).to(x.dtype)

    def context_like(self, x: Tensor, randn: Callable[..., Tensor]) -> Tensor:
        """A random image of as many pixels and `context_dim` channels."""
        return randn(*x.shape[:3], self.config.context_dim)

    def radius(self) -> int:
        """0: each pixel is gated by itself."""
        return 0

    def flops(self, height: int, width: int) -> int:
        """Three linear maps."""
        per_pixel = self.config.hidden * (self.config.dim + self.config.context_dim + 1)
        return 2 * per_pixel * height * width

    def extra_bytes(self, height: int, width: int) -> int:
        """Both projections and their sum; by then smaller, the gate and the output."""
        return 4 * height * width * max(3 * self.config.hidden, self.config.dim + 2)
