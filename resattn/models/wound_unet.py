"""A residual U-Net whose attention is chosen by config and comes from the core.

Named positions take a mixer each: `block` gates the channels inside every decoder block, `skip`
decides which pixels of a skip connection pass, `neck` mixes the coarsest map of the decoder. The
sides of the image are free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config
from resattn.mixers.additive import AdditiveConfig
from resattn.mixers.base import MixerConfig
from resattn.models.lite_encoder import LiteEncoder
from resattn.models.wound_guide import Guide
from resattn.registry import config_type
from resattn.residual import ResidualAttention

STRIDE: Final = 32


@dataclass(frozen=True)
class Decision(Config):
    """How the probabilities of a network become a mask; set on training folds.

    Attributes:
        threshold: Least probability of a wound's pixel.
        least_area: Least area of a region, as a share of the squared longer side.
        least_peak: Least probability that a region must reach somewhere.
        least_mean: Least probability that a region must have on average.
        offset: Shift of the threshold, in logits, that bounds a 90 % interval of the area.
    """

    threshold: float = 0.5
    least_area: float = 5e-5
    least_peak: float = 0.0
    least_mean: float = 0.0
    offset: float = 2.0

    def __post_init__(self) -> None:
        shares = (self.least_peak, self.least_mean)
        if not 0 < self.threshold < 1 or not all(0 <= share < 1 for share in shares):
            raise ValueError(
                f"threshold {self.threshold}, least_peak {self.least_peak} and least_mean "
                f"{self.least_mean} must lie in 0..1"
            )


@dataclass(frozen=True)
class WoundUNetConfig(Config):
    """Shape of the network.

    Attributes:
        encoder: ``lite0`` (EfficientNet-Lite0, to start from published weights) or ``residual``
            (plain residual blocks, to start from scratch).
        widths: Channels of the residual encoder at strides 2 to 32; unused by ``lite0``.
        decoder: Channels of the decoder at strides 16 to 2.
        block: Kind of the gate inside each decoder block, built from its channel count, or none.
        skip: ``additive`` or none.
        neck: Mixers over the decoder's map at stride 16, each starting as the identity; their
            `dim` is ``decoder[0]``.
        guided: Whether guided attention follows the neck (`resattn.models.wound_guide`).
        deep: Whether each coarser decoder map predicts the mask too, for the training loss.
        decision: What to make of the probabilities.
    """

    encoder: Literal["lite0", "residual"] = "lite0"
    widths: tuple[int, ...] = (24, 48, 96, 160, 256)
    decoder: tuple[int, ...] = (96, 48, 32, 24)
    block: str | None = "eca"
    skip: str | None = "additive"
    neck: tuple[MixerConfig, ...] = ()
    guided: bool = False
    deep: bool = True
    decision: Decision = field(default_factory=Decision)

    def __post_init__(self) -> None:
        if len(self.widths) != 5 or len(self.decoder) != 4:
            raise ValueError(
                f"need 5 encoder and 4 decoder widths, got {self.widths} and {self.decoder}"
            )
        if self.skip not in (None, "additive"):
            raise ValueError(f"skip must be 'additive' or None, not {self.skip!r}")


class Deep(NamedTuple):
    """What training asks of the network.

    Attributes:
        logits: Of the mask at full size, and where `deep` at strides 4, 8 and 16.
        guidance: Loss of the guided attention; 0 without it.
    """

    logits: list[Tensor]
    guidance: Tensor


class WoundUNet(nn.Module):
    """Logit of "wound" for each pixel of a photograph.

    Raises:
        ValueError: An unknown mixer kind, or a mixer that cannot be built from a channel count.
    """

    def __init__(self, config: WoundUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder: LiteEncoder | ResidualEncoder
        self.encoder = (
            LiteEncoder() if config.encoder == "lite0" else ResidualEncoder(config.widths)
        )
        *skips, coarsest = self.encoder.widths
        ins = (coarsest, *config.decoder)
        self.levels = nn.ModuleList(
            DecoderLevel(dim_in, dim_skip, dim, config)
            for dim_in, dim_skip, dim in zip(ins, reversed(skips), config.decoder, strict=False)
        )
        self.neck = nn.Sequential(
            *(ResidualAttention(config.decoder[0], mixer, policy="rezero") for mixer in config.neck)
        )
        self.guide = Guide(config.decoder[0]) if config.guided else None
        # Four logits per cell at stride 2: the mask has the resolution of the photograph.
        self.head = nn.Conv2d(config.decoder[-1], 4, 3, padding=1)
        coarse = config.decoder[:-1] if config.deep else ()
        self.deep_heads = nn.ModuleList(nn.Conv2d(dim, 1, 1) for dim in coarse)

    def forward(self, photo: Tensor) -> Tensor:
        """Logits (B, 1, H, W), float32, of RGB photographs (B, 3, H, W) in 0..1, any H, W >= 1."""
        maps, _ = self._maps(_padded(photo))
        return self._logits(maps[-1])[..., : photo.shape[2], : photo.shape[3]]

    def forward_deep(self, photo: Tensor) -> Deep:
        """`forward` with what training asks for besides.

        The sides of the photograph must be multiples of 32.
        """
        (*coarse, finest), guidance = self._maps(photo)
        heads = [head(y).float() for head, y in zip(self.deep_heads, coarse, strict=False)]
        return Deep([self._logits(finest), *reversed(heads)], guidance)

    def _logits(self, finest: Tensor) -> Tensor:
        return F.pixel_shuffle(self.head(finest), 2).float()

    def _maps(self, photo: Tensor) -> tuple[list[Tensor], Tensor]:
        """The decoder's maps at strides 16, 8, 4 and 2, and the loss of the guide."""
        *skips, y = self.encoder(photo)
        guidance = photo.new_zeros(())
        maps: list[Tensor] = []
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            y = level(y, skip)
            if not maps:
                y = self.neck(y)
                if self.guide is not None:
                    y, guidance = self.guide(y)
            maps.append(y)
        return maps, guidance


class DecoderLevel(nn.Module):
    """Twice the resolution: upsample, gate the skip, join, one residual block."""

    def __init__(self, dim_in: int, dim_skip: int, dim: int, config: WoundUNetConfig) -> None:
        super().__init__()
        self.gate = None
        if config.skip == "additive":
            hidden = max(dim_skip // 2, 8)
            gate = AdditiveConfig(dim_skip, context_dim=dim_in, hidden=hidden)
            self.gate = ResidualAttention(dim_skip, gate, norm="none", policy="gate")
        self.join = conv_norm(dim_in + dim_skip, dim)
        self.block = ResidualBlock(dim, dim, gate=config.block)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """`coarse` (B, C, H, W) and `skip` (B, S, 2 H, 2 W) to (B, D, 2 H, 2 W)."""
        coarse = F.interpolate(coarse, scale_factor=2, mode="nearest")
        if self.gate is not None:
            skip = self.gate(skip, coarse)
        y: Tensor = self.block(self.join(torch.cat([coarse, skip], 1)))
        return y


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity, gated by a mixer before they are added."""

    def __init__(self, dim_in: int, dim: int, stride: int = 1, gate: str | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(dim_in, dim, stride=stride), conv_norm(dim, dim, linear=True)
        )
        self.gate: nn.Module = nn.Identity()
        if gate is not None:
            config = config_type(gate).from_dict({"dim": dim})
            self.gate = ResidualAttention(dim, config, norm="none", policy="gate")
        same = stride == 1 and dim_in == dim
        self.short = nn.Identity() if same else conv_norm(dim_in, dim, 1, stride, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, C, H, W) to (B, D, H / stride, W / stride)."""
        return F.relu(self.short(x) + self.gate(self.body(x)))


class ResidualEncoder(nn.Module):
    """Two residual blocks per stage; five maps, at strides 2 to 32."""

    def __init__(self, widths: Iterable[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        stem, *rest = self.widths
        self.stem = nn.Sequential(conv_norm(3, stem, stride=2), ResidualBlock(stem, stem))
        self.stages = nn.ModuleList(
            nn.Sequential(ResidualBlock(dim_in, dim, stride=2), ResidualBlock(dim, dim))
            for dim_in, dim in zip(self.widths, rest, strict=False)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """RGB (B, 3, H, W) in 0..1 to maps at strides 2, 4, 8, 16, 32."""
        maps = [self.stem(x * 2 - 1)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel of (B, C, H, W).

    No statistic of a batch or an image: training, averaged weights and any tile see the same
    function.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`x` normalised, same shape and memory order."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv_norm(
    dim_in: int, dim: int, kernel: int = 3, stride: int = 1, *, linear: bool = False
) -> nn.Sequential:
    """Convolution, norm and, unless `linear`, a ReLU."""
    conv = nn.Conv2d(dim_in, dim, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, ChannelNorm(dim), *([] if linear else [nn.ReLU(inplace=True)]))


def _padded(photo: Tensor) -> Tensor:
    """`photo` with its last row and column repeated up to multiples of the coarsest stride."""
    below, right = (-photo.shape[2] % STRIDE, -photo.shape[3] % STRIDE)
    return F.pad(photo, (0, right, 0, below), mode="replicate") if below or right else photo
