"""Efficient channel attention: a gate per channel from a 1-D convolution over channel means.

    g = sigmoid(conv1d_k(mean_pixels(x)));  y = g * x

Wang et al., ECA-Net, CVPR 2020, eq. 9; the adaptive kernel is eq. 12. The paper's network of
"80 parameters" uses kernels 3, 5, 5, 7 for its four stages, which eq. 12 does not give: pass
`kernel` to choose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from resattn.mixers.base import GlobalMixer, MixerConfig, positive
from resattn.ops.statistics import Inner, Statistics, crop, sum_pixels


def adaptive_kernel(dim: int, gamma: float = 2.0, offset: float = 1.0) -> int:
    """Odd kernel size near (log2(dim) + offset) / gamma: rounded down, then up to odd."""
    size = int(abs((math.log2(dim) + offset) / gamma))
    return size if size % 2 else size + 1


@dataclass(frozen=True)
class EcaConfig(MixerConfig):
    """Channels, and the odd kernel over them; 0 takes the kernel from the channel count."""

    kind: ClassVar[str] = "eca"
    kernel: int = 0

    def __post_init__(self) -> None:
        positive(dim=self.dim)
        if self.kernel < 0 or (self.kernel and self.kernel % 2 == 0):
            raise ValueError(f"kernel must be odd, or 0 for automatic, not {self.kernel}")


class Eca(GlobalMixer):
    """Gates each channel by its own mean and those of its neighbours in channel order."""

    layout = "NCHW"
    family = "gate"
    pixel_equivariant = True
    config: EcaConfig

    def __init__(self, config: EcaConfig) -> None:
        super().__init__(config)
        kernel = config.kernel or adaptive_kernel(config.dim)
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def measure(
        self, x: Tensor, context: Tensor | None = None, inner: Inner | None = None
    ) -> Statistics:
        """Sum of each channel."""
        del context
        x = crop(x, inner)
        return Statistics(x.shape[-2] * x.shape[-1], sums=(sum_pixels(x),))

    def forward(
        self, x: Tensor, context: Tensor | None = None, statistics: Statistics | None = None
    ) -> Tensor:
        """`x` (B, C, H, W), each channel times a gate in (0, 1)."""
        mean = (statistics or self.measure(x, context)).mean(self.conv.weight.dtype)
        gate = torch.sigmoid(self.conv(mean[:, None])[:, 0])
        return x * gate[:, :, None, None].to(x.dtype)

    def radius(self) -> int:
        """0: given the means, pixels are independent."""
        return 0

    def flops(self, height: int, width: int) -> int:
        """The convolution over channels only."""
        del height, width
        return 2 * self.config.dim * self.conv.kernel_size[0]

    def extra_bytes(self, height: int, width: int) -> int:
        """The output."""
        return 4 * self.config.dim * height * width
