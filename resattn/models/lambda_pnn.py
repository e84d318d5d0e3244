"""The network of lambda-PNN: what is added to a pansharpened image, from both inputs.

Two convolutions, residual CBAM, two residual convolution blocks, residual CBAM and an output
convolution (Ciotola, Poggi and Scarpa, "Unsupervised Deep Learning-Based Pansharpening With
Jointly Enhanced Spectral and Spatial Fidelity", IEEE TGRS 61, 2023). The last layer starts at
zero, so that an untrained network adds nothing; docs/lambda-pnn.md lists what differs from the
paper and why.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config
from resattn.mixers.cbam import CbamConfig
from resattn.models.descriptor import ModelDescriptor
from resattn.ops.padding import reflect
from resattn.residual import ResidualAttention


@dataclass(frozen=True)
class LambdaPnnConfig(Config):
    """Bands, channels, and how far CBAM narrows them.

    Attributes:
        bands: MS bands.
        width: Channels inside; the paper has 64, 32 costs a quarter.
        reduction: Of the channel gate's MLP.
        residual: The network also sees what the MS samples say the fused image lacks.
    """

    bands: int
    width: int = 32
    reduction: int = 4
    residual: bool = True

    def __post_init__(self) -> None:
        if self.bands < 1:
            raise ValueError(f"bands must be at least 1, not {self.bands}")

    @classmethod
    def paper(cls, bands: int) -> LambdaPnnConfig:
        """The published size: 64 channels, PAN and the bands as input."""
        return cls(bands, width=64, residual=False)

    @property
    def inputs(self) -> int:
        """Channels of the input."""
        return self.bands * (2 if self.residual else 1) + 1


class LambdaPnn(nn.Module):
    """Detail for every band from PAN and the bands so far."""

    def __init__(self, config: LambdaPnnConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.enter = Conv(config.inputs, width, 3)
        self.widen = Conv(width, width, 3)
        self.first = _attention(config)
        self.body = nn.Sequential(ResidualConv(width), ResidualConv(width))
        self.last = _attention(config)
        self.leave = Conv(width, config.bands, 5)
        self.add_nothing()

    def add_nothing(self) -> None:
        """Makes the output zero, as in a fresh network."""
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    @property
    def descriptor(self) -> ModelDescriptor:
        """Tiles are exact once both CBAMs are given their statistics."""
        return ModelDescriptor(
            "lambda-pnn",
            in_channels=self.config.inputs,
            out_channels=self.config.bands,
            radius=14,
            grid=(1, 16),
            tiling="statistics",
        )

    def forward(self, x: Tensor) -> Tensor:
        """What to add to each band, (N, B, H, W), from the inputs (N, `config.inputs`, H, W)."""
        y = F.relu(self.widen(F.relu(self.enter(x))))
        y = self.last(self.body(self.first(y)))
        detail: Tensor = self.leave(y)
        return detail


class Conv(nn.Conv2d):
    """A convolution that keeps the size by mirroring the border."""

    def __init__(self, channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(channels, out_channels, kernel)
        self.margin = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, out, H, W) from (N, in, H, W)."""
        return super().forward(reflect(x, self.margin))


class ResidualConv(nn.Module):
    """x + conv(gelu(conv(x))), without normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = Conv(width, width, 3)
        self.gather = Conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        y: Tensor = self.gather(F.gelu(self.spread(x)))
        return x + y


def _attention(config: LambdaPnnConfig) -> ResidualAttention:
    cbam = CbamConfig(config.width, config.reduction)
    return ResidualAttention(config.width, cbam, norm="none", policy="gate")


def seeded(config: LambdaPnnConfig, seed: int) -> LambdaPnn:
    """A fresh network whose weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LambdaPnn(config)
