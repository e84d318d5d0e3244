"""Large-kernel attention: a gate per value from a depthwise kernel made of strips.

    a = strip_m,d(strip_n(x)),  each strip a 1 x n and an n x 1 depthwise convolution
    y = x * (W a + b)

Guo et al., Visual Attention Network, 2022, with the separable kernels of Lau et al., Large
Separable Kernel Attention, 2023: kernel = n + d (m - 1). The gate is linear, as published; outside
the image there are zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor, nn

from resattn.mixers.base import Mixer, MixerConfig, positive

_STRIPS = MappingProxyType({7: (3, 3, 2), 11: (3, 5, 2), 23: (5, 7, 3), 35: (5, 11, 3)})
"""By kernel: width of the near strip, and width and dilation of the far one."""


@dataclass(frozen=True)
class LargeKernelConfig(MixerConfig):
    """Channels, and the reach of the gate: a kernel of 7, 11, 23 or 35 pixels."""

    kind: ClassVar[str] = "large-kernel"
    kernel: int = 23

    def __post_init__(self) -> None:
        positive(dim=self.dim)
        if self.kernel not in _STRIPS:
            raise ValueError(f"kernel must be one of {sorted(_STRIPS)}, not {self.kernel}")


class LargeKernel(Mixer):
    """Gates each value by a wide neighbourhood of all channels; no statistic of the image."""

    layout = "NCHW"
    family = "gate"
    config: LargeKernelConfig

    def __init__(self, config: LargeKernelConfig) -> None:
        super().__init__(config)
        near, far, dilation = _STRIPS[config.kernel]
        dim = config.dim
        self.strips = nn.Sequential(
            _strip(dim, (1, near)),
            _strip(dim, (near, 1)),
            _strip(dim, (1, far), dilation),
            _strip(dim, (far, 1), dilation),
        )
        self.point = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`x` (B, C, H, W) times its gate."""
        del context
        # Without autocast: in bfloat16 and channels_last, torch 2.13 on a CPU gets the weight
        # gradient of a dilated depthwise convolution wrong by thirty orders of magnitude.
        with torch.autocast(x.device.type, enabled=False):
            gate: Tensor = self.strips(x.to(self.point.weight.dtype))
        gate = self.point(gate)
        return x * gate

    def radius(self) -> int:
        """Half the kernel."""
        return self.config.kernel // 2

    def flops(self, height: int, width: int) -> int:
        """Four strips and the convolution that mixes channels."""
        near, far, _ = _STRIPS[self.config.kernel]
        dim = self.config.dim
        return 2 * height * width * dim * (2 * near + 2 * far + dim)

    def extra_bytes(self, height: int, width: int) -> int:
        """Two images: a convolution's input and output, then the gate and the product."""
        return 2 * 4 * self.config.dim * height * width


def _strip(dim: int, kernel: tuple[int, int], dilation: int = 1) -> nn.Conv2d:
    """A depthwise convolution whose output is as large as its input."""
    padding = (dilation * (kernel[0] // 2), dilation * (kernel[1] // 2))
    return nn.Conv2d(dim, dim, kernel, padding=padding, dilation=dilation, groups=dim)
