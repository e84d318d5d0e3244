"""The default super-resolution model: gated residual convolutions, small enough for a laptop.

No layer looks further than its kernel, so the model has a finite radius and any tiling with a
halo of that radius gives the pixels of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config
from resattn.mixers.additive import AdditiveConfig, AdditiveGate
from resattn.mixers.base import positive
from resattn.models.descriptor import ModelDescriptor
from resattn.residual import arrange

MAX_SCALE, MAX_BLOCKS = 8, 64


@dataclass(frozen=True)
class GatedSrConfig(Config):
    """Scale, width and depth; the defaults are those of the shipped `fast` weights."""

    scale: int = 4
    dim: int = 48
    blocks: int = 6

    def __post_init__(self) -> None:
        positive(scale=self.scale, dim=self.dim, blocks=self.blocks)
        at_most(MAX_SCALE, scale=self.scale)
        at_most(MAX_BLOCKS, blocks=self.blocks)


def at_most(limit: int, **values: int) -> None:
    """Accepts sizes up to `limit`: settings come from files, and a model is built from them.

    Raises:
        ValueError: One of the values is larger; the message names it.
    """
    for name, value in values.items():
        if value > limit:
            raise ValueError(f"{name} must be at most {limit}, not {value}")


class GatedBlock(nn.Module):
    """x + gate(conv(relu(conv(x))), x): the block's input decides which pixels are refined."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(dim, dim, 3, padding=1)
        self.refine = nn.Conv2d(dim, dim, 3, padding=1)
        self.gate = AdditiveGate(AdditiveConfig(dim=dim, context_dim=dim, hidden=dim // 2))

    def forward(self, x: Tensor) -> Tensor:
        """The refined features, same shape."""
        refined = self.refine(F.relu(self.expand(x)))
        gated = self.gate(arrange(refined, "NCHW", "NHWC"), arrange(x, "NCHW", "NHWC"))
        return x + arrange(gated, "NHWC", "NCHW")


class GatedSr(nn.Module):
    """Enlarges RGB images: nearest-neighbour copy plus a learned correction.

    The head, the blocks and the tail all work at low resolution; the tail emits every output
    pixel of a cell as channels, which `forward` rearranges.
    """

    def __init__(self, config: GatedSrConfig) -> None:
        super().__init__()
        self.config = config
        self.head = nn.Conv2d(3, config.dim, 3, padding=1)
        self.blocks = nn.Sequential(*(GatedBlock(config.dim) for _ in range(config.blocks)))
        self.tail = nn.Conv2d(config.dim, 3 * config.scale**2, 3, padding=1)

    @property
    def radius(self) -> int:
        """Input pixels an output pixel can see in each direction."""
        return 2 + 2 * self.config.blocks

    @property
    def descriptor(self) -> ModelDescriptor:
        """Facts that tiling depends on."""
        return ModelDescriptor(
            name=f"gated-sr.x{self.config.scale}",
            in_channels=3,
            out_channels=3,
            scale=self.config.scale,
            radius=self.radius,
            tiling="exact",
        )

    def forward(self, x: Tensor) -> Tensor:
        """Enlarged image (B, 3, sH, sW) of `x` (B, 3, H, W), RGB, both nominally 0..1."""
        return F.pixel_shuffle(self.phases(x), self.config.scale)

    def phases(self, x: Tensor) -> Tensor:
        """The enlarged image before its pixels are interleaved: (B, 3 s², H, W).

        The loss of training is taken here: it is the same sum, without moving large images.
        """
        features = self.head(x - 0.5)
        correction: Tensor = self.tail(features + self.blocks(features))
        return correction + x.repeat_interleave(self.config.scale**2, 1)
