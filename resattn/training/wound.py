"""Training the wound network on photographs and masks, and the folds it is chosen by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Json
from resattn.models.wound_unet import STRIDE, WoundUNet, WoundUNetConfig
from resattn.training.task import Task
from resattn.training.wound_views import Views, recoloured, relit, view

_TWINS = 0.95
"""Correlation of thumbnails above which two photographs show the same scene."""


@dataclass(frozen=True)
class Photos:
    """Photographs (N, 3, H, W) and their masks (N, 1, H, W), 1 inside wounds, both uint8."""

    images: Tensor
    masks: Tensor

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.masks.shape != (shape[0], 1, *shape[2:]) or shape[1] != 3:
            raise ValueError(f"images are {tuple(shape)}, masks {tuple(self.masks.shape)}")
        if self.images.dtype != torch.uint8 or self.masks.dtype != torch.uint8:
            raise ValueError(f"images are {self.images.dtype}, masks {self.masks.dtype}, not uint8")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Sequence[int]) -> Photos:
        """Some of the photographs, in this order."""
        index = torch.tensor(indices, dtype=torch.long)
        return Photos(self.images[index], self.masks[index])


@dataclass(frozen=True)
class LossWeights:
    """Parts of the loss.

    Attributes:
        dice: Weight of one minus the soft Dice of each photograph, beside cross-entropy.
        deep: Weights of the same loss on the maps at strides 4, 8 and 16.
        slack: Share of the pixels added to both sides of the Dice ratio, so that a view without a
            wound asks for an empty mask instead of dividing by zero.
    """

    dice: float = 1.0
    deep: tuple[float, ...] = (0.3, 0.2, 0.1)
    slack: float = 1e-3


@dataclass(frozen=True)
class WoundSettings:
    """Everything about the task that is not the data."""

    model: WoundUNetConfig = field(default_factory=WoundUNetConfig)
    views: Views = field(default_factory=Views)
    weights: LossWeights = field(default_factory=LossWeights)
    patch: int = 256

    def __post_init__(self) -> None:
        if self.patch % STRIDE:
            raise ValueError(f"patch must be a multiple of {STRIDE}, not {self.patch}")


class WoundTask(Task):
    """Cross-entropy and Dice over random views; validation is the mean Dice of whole photographs.

    Args:
        settings: Model, augmentation and loss.
        train: Photographs to learn from.
        fold: Photographs to validate on; none of them may show a scene of `train` (`folds`).
        encoder: Weights the encoder starts from, as `lite_encoder.from_published` gives them.
    """

    name = "segment-wound"
    metric = "dice"

    def __init__(
        self,
        settings: WoundSettings,
        train: Photos,
        fold: Photos,
        encoder: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.settings = settings
        self.train = train
        self.fold = fold
        self.encoder = encoder

    def facts(self) -> dict[str, Json]:
        """Settings, and digests of both sets."""
        settings = {**asdict(self.settings), "model": self.settings.model.to_dict()}
        return {
            "settings": settings,
            "train": _digest(self.train),
            "fold": _digest(self.fold),
            "published_encoder": self.encoder is not None,
        }

    def build(self) -> nn.Module:
        """A fresh model, its encoder as published where that was given."""
        model = WoundUNet(self.settings.model)
        if self.encoder is not None:
            model.encoder.load_state_dict(self.encoder)
        return model

    def sample(self, count: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Views (B, 3, p, p) in 0..1 and their masks (B, 1, p, p), float32."""
        settings = self.settings
        picked = torch.randint(len(self.train), (count,), generator=generator).tolist()
        pairs = [
            view(
                self.train.images[i], self.train.masks[i], settings.patch, settings.views, generator
            )
            for i in picked
        ]
        images, masks = (torch.stack(side) for side in zip(*pairs, strict=True))
        images = recoloured(images, masks, settings.views, generator)
        return relit(images, settings.views, generator), masks

    def loss(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Loss of the mask at full size plus the weighted losses of the coarser maps."""
        images, masks = batch
        images = images.contiguous(memory_format=torch.channels_last)
        finest, *coarse = cast(WoundUNet, model).forward_deep(images)
        weights = self.settings.weights
        total = mask_loss(finest, masks, weights)
        for logits, weight in zip(coarse, weights.deep, strict=False):
            target = F.interpolate(masks, size=logits.shape[2:], mode="area")
            total = total + weight * mask_loss(logits, target, weights)
        return total

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean Dice over photographs at threshold 0.5, both empty counting 1, and pooled Dice."""
        device = next(model.parameters()).device
        counts = []
        for image, mask in zip(self.fold.images, self.fold.masks, strict=True):
            photo = image[None].to(device).float() / 255
            found = model(photo.contiguous(memory_format=torch.channels_last))[0] > 0
            true = mask.to(device) > 0
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


def folds(photos: Photos, count: int = 5, seed: int = 0) -> list[list[int]]:
    """Indices of the photographs, dealt into `count` sets that share no scene.

    Photographs whose thumbnails correlate above 0.95 are taken for one scene, as are chains of
    them. Every fold gets its share of photographs without a wound.

    Raises:
        ValueError: If there are fewer scenes than folds.
    """
    scenes = _scenes(photos.images)
    if len(scenes) < count:
        raise ValueError(
            f"{len(photos)} photographs show {len(scenes)} scenes: too few for {count}"
        )
    order = torch.randperm(len(scenes), generator=torch.Generator().manual_seed(seed)).tolist()
    empty = photos.masks.flatten(1).amax(1) == 0
    # Dealing the empty ones first spreads them evenly.
    dealt = sorted((scenes[i] for i in order), key=lambda scene: not bool(empty[scene].any()))
    return [sorted(i for scene in dealt[k::count] for i in scene) for k in range(count)]


def _scenes(images: Tensor) -> list[list[int]]:
    """Groups of photographs that look alike, each sorted, in order of their first member."""
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
    groups: dict[int, list[int]] = {}
    for index in range(len(images)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _digest(photos: Photos) -> str:
    digest = hashlib.sha256()
    for tensor in (photos.images, photos.masks):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
