"""Training super-resolution on photographs and their exact low-resolution copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config, Json
from resattn.degradation import downscale
from resattn.models.craft import Craft, CraftConfig
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.training.dataset import ImageSet, digest
from resattn.training.images import check_patch, crops, draw
from resattn.training.task import Task

_LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)


@dataclass(frozen=True)
class Pairs:
    """High- and low-resolution images of one size: (N, 3, sH, sW) and (N, 3, H, W), uint8."""

    high: Tensor
    low: Tensor

    @classmethod
    def make(cls, high: Tensor, scale: int) -> Pairs:
        """The pairs of `high` (N, 3, H, W) uint8, cut to a multiple of `scale`."""
        rows, cols = (n // scale * scale for n in high.shape[-2:])
        high = high[..., :rows, :cols]
        return cls(high, torch.cat([downscale(image[None], scale) for image in high]))

    def to(self, device: torch.device) -> Pairs:
        """The pairs on another device."""
        return Pairs(self.high.to(device), self.low.to(device))


@dataclass(frozen=True)
class Settings(Config):
    """Options of the task.

    Attributes:
        model: The default model.
        craft: CRAFT instead, such as ``--set craft.wrap=false --set craft.bias=table``.
        patch: Side of a low-resolution patch.
        loss: Absolute error, or squared error, which PSNR rewards, for the end of a training.
        luma: Weight of the error of luma beside that of the three colours.
    """

    model: GatedSrConfig = field(default_factory=GatedSrConfig)
    craft: CraftConfig | None = None
    patch: int = 48
    loss: Literal["absolute", "squared"] = "absolute"
    luma: float = 0.0


def make(settings: Settings, train: ImageSet, fold: ImageSet) -> SuperResolveTask:
    """The task with these settings on these images.

    Raises:
        UserError: A patch is larger than the images.
    """
    scale = (settings.craft or settings.model).scale
    check_patch(settings.patch, train.images, scale)
    learn, judge = (Pairs.make(images.images, scale) for images in (train, fold))
    return SuperResolveTask(settings, learn, judge)


class SuperResolveTask(Task):
    """Loss over random patches; validation is PSNR of luma on whole images.

    Args:
        settings: Model, patch and loss.
        train: Pairs to learn from.
        fold: Pairs to validate on, from other photographs.
    """

    name = "super-resolve"
    metric = "psnr_y"
    config: GatedSrConfig | CraftConfig

    def __init__(self, settings: Settings, train: Pairs, fold: Pairs) -> None:
        self.settings = settings
        self.config = settings.craft or settings.model
        self.architecture = "gated-sr" if isinstance(self.config, GatedSrConfig) else "craft"
        self.train = train
        self.fold = fold

    def build(self) -> nn.Module:
        """A freshly initialised model."""
        config = self.config
        return GatedSr(config) if isinstance(config, GatedSrConfig) else Craft(config)

    def facts(self) -> dict[str, Json]:
        """Settings and digests of the two sets of images."""
        return {
            "settings": self.settings.to_dict(),
            "train": digest(self.train.high),
            "fold": digest(self.fold.high),
        }

    def to(self, device: torch.device) -> None:
        """Moves both sets of pairs."""
        self.train, self.fold = self.train.to(device), self.fold.to(device)

    def sample(self, count: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Low patches (B, 3, p, p) and high patches in phases (B, 3 s², p, p), uint8."""
        low, scale = self.train.low, self.config.scale
        cells = (low.shape[-2], low.shape[-1])
        choice = draw(count, low.shape[0], cells, self.settings.patch, generator)
        high = crops(self.train.high, choice, self.settings.patch, scale)
        return crops(low, choice, self.settings.patch), F.pixel_unshuffle(high, scale)

    def loss(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Mean error over all output pixels, range 0..1, plus that of luma by its weight."""
        low, high = (_unit(t) for t in batch)
        error = cast(GatedSr | Craft, model).phases(low).float() - high
        loss = self._mean(error)
        if self.settings.luma:
            loss = loss + self.settings.luma * self._mean(_phases_of_luma(error))
        return loss

    def _mean(self, error: Tensor) -> Tensor:
        return (error.square() if self.settings.loss == "squared" else error.abs()).mean()

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean PSNR of luma in dB, border of `scale` pixels left out, values rounded to 8 bits."""
        scale = self.config.scale
        psnr = []
        for low, high in zip(self.fold.low, self.fold.high, strict=True):
            estimate = model(_unit(low[None]))[0]
            estimate = estimate.clamp(0, 1).mul(255).round()
            error = (_luma(estimate) - _luma(high.float()))[scale:-scale, scale:-scale]
            psnr.append(20 * torch.log10(255 / error.square().mean().sqrt()))
        return {self.metric: float(torch.stack(psnr).mean())}


def _unit(image: Tensor) -> Tensor:
    return image.float().div_(255).contiguous(memory_format=torch.channels_last)


def _phases_of_luma(error: Tensor) -> Tensor:
    """Luma (B, s², H, W), with weights that add up to one, of phases (B, 3 s², H, W)."""
    red, green, blue = error.chunk(3, 1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue) / sum(_LUMA)


def _luma(image: Tensor) -> Tensor:
    return image[0] * _LUMA[0] + image[1] * _LUMA[1] + image[2] * _LUMA[2]
