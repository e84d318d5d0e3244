"""Convolutional block attention: a gate per channel, then a gate per pixel.

    y = x * sigmoid(MLP(mean_pixels(x)) + MLP(max_pixels(x)))
    z = y * sigmoid(conv_k[max_channels(y), mean_channels(y)])

Woo et al., CBAM, ECCV 2018, eqs. 1-3. The residual form used in lambda-PNN (x + z, reflect
padding, biases, reduction 4) is this mixer under the "gate" policy of `ResidualAttention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from resattn.mixers.base import GlobalMixer, MixerConfig, positive
from resattn.ops.gate import gate
from resattn.ops.padding import reflect
from resattn.ops.statistics import Inner, Statistics, crop, max_pixels, sum_pixels


@dataclass(frozen=True)
class CbamConfig(MixerConfig):
    """Channels, how far the channel MLP narrows, and the odd kernel of the pixel gate."""

    kind: ClassVar[str] = "cbam"
    reduction: int = 4
    kernel: int = 7

    def __post_init__(self) -> None:
        positive(dim=self.dim, reduction=self.reduction, kernel=self.kernel)
        if self.dim % self.reduction:
            raise ValueError(f"dim {self.dim} is not a multiple of reduction {self.reduction}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {self.kernel}")


class Cbam(GlobalMixer):
    """Gates channels by their mean and peak over the image, then pixels by their surroundings."""

    layout = "NCHW"
    family = "gate"
    config: CbamConfig

    def __init__(self, config: CbamConfig) -> None:
        super().__init__(config)
        hidden = config.dim // config.reduction
        self.channel = nn.Sequential(
            nn.Linear(config.dim, hidden), nn.ReLU(), nn.Linear(hidden, config.dim)
        )
        self.pixel = nn.Conv2d(2, 1, config.kernel)

    def measure(
        self, x: Tensor, context: Tensor | None = None, inner: Inner | None = None
    ) -> Statistics:
        """Sum and maximum of each channel."""
        del context
        x = crop(x, inner)
        return Statistics(x.shape[-2] * x.shape[-1], sums=(sum_pixels(x),), maxima=(max_pixels(x),))

    def forward(
        self, x: Tensor, context: Tensor | None = None, statistics: Statistics | None = None
    ) -> Tensor:
        """`x` (B, C, H, W), times a gate per channel and a gate per pixel, both in (0, 1)."""
        statistics = statistics or self.measure(x, context)
        y = x * self._channel_gate(statistics)[:, :, None, None].to(x.dtype)
        pixel_gate = self._pixel_gate(y).to(x.dtype)
        # y is a temporary of this call: where autograd has no use for it, it becomes the output.
        needed = y.requires_grad or pixel_gate.requires_grad
        return y * pixel_gate if needed else y.mul_(pixel_gate)

    def _channel_gate(self, statistics: Statistics) -> Tensor:
        dtype = self.pixel.weight.dtype
        pooled = torch.stack([statistics.mean(dtype), statistics.maxima[0].to(dtype)])
        return torch.sigmoid(self.channel(pooled).sum(0))

    def _pixel_gate(self, y: Tensor) -> Tensor:
        pooled = torch.cat([y.amax(1, keepdim=True), y.mean(1, keepdim=True)], 1)
        return gate(self.pixel(reflect(pooled, self.config.kernel // 2)))

    def radius(self) -> int:
        """Half the kernel of the pixel gate."""
        return self.config.kernel // 2

    def flops(self, height: int, width: int) -> int:
        """Both MLP passes and the pixel gate's convolution."""
        mlp = 2 * self.config.dim * (self.config.dim // self.config.reduction)
        return 2 * (2 * mlp + 2 * self.config.kernel**2 * height * width)

    def extra_bytes(self, height: int, width: int) -> int:
        """The image after its gates, and 21 planes around the pixel gate's convolution.

        Sixteen of those are two planes as oneDNN pads them.
        """
        return 4 * height * width * (self.config.dim + 21)
