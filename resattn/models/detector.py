"""Objects as boxes: an encoder, a pyramid, two towers, the bridge, and a host's last layers.

The bridge (`resattn.models.detect_bridge`) is on or off by one line of the config, for every host
and encoder; all else stays the same. Keys are chosen over the whole input: the result for a tile
depends on the tile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config
from resattn.mixers.base import positive
from resattn.models.descriptor import ModelDescriptor
from resattn.models.detect_bridge import Bridge
from resattn.models.detect_hosts import HOSTS, Host, Predictions
from resattn.models.detect_points import BvrConfig, PointMaps
from resattn.models.detect_pyramid import Cells, Extra, Norm, Pyramid, cells_of, conv_block
from resattn.models.lite_encoder import LiteEncoder
from resattn.models.resnet import ResNet
from resattn.ops.boxes import nms

Backbone = Literal["lite0", "resnet18", "resnet50"]
STRIDE: Final = 32
"""Sides of the input are multiples of it."""
_CANDIDATES: Final = 2000
"""Boxes of a picture that enter suppression at most, or six for each that may come out."""


@dataclass(frozen=True)
class DetectorConfig(Config):
    """Shape of the detector.

    Attributes:
        host: ``atss``, ``fcos`` or ``retinanet``.
        backbone: ``lite0`` (EfficientNet-Lite0), ``resnet18`` or ``resnet50``.
        classes: Number of kinds of objects.
        names: Their names; may be empty.
        side: Longer side in pixels that training pictures were scaled to, so that objects have
            the size the network knows; 0 where pictures were taken as they are.
        zoom: How many times rasters, which are never scaled down, were enlarged for training.
        bands: Numbers, from 1, of the bands of rasters that were red, green and blue in training,
            or of the one that was all three; empty where rasters say it themselves.
        scale: The values that became black and white in rasters; None measures each raster.
        width: Channels of the pyramid and of the towers.
        depth: Convolutions of each tower.
        norm: After each convolution of the towers.
        neck_norm: After each convolution of the pyramid.
        extra: What the coarser levels of the pyramid are made of.
        offset: Where in its cell an anchor is centred.
        score: Score from which an object counts: training sets it to where F1 is highest on the
            pictures it held out.
        largest: Longer side in pixels of the largest objects of the training, as the network saw
            them; 0 where nobody knows. Windows share as much, so that such an object lies whole in
            one of them.
        bvr: The bridge; None for the bare host.
    """

    host: Literal["atss", "fcos", "retinanet"] = "atss"
    backbone: Backbone = "lite0"
    classes: int = 1
    names: tuple[str, ...] = ()
    side: int = 0
    zoom: int = 1
    bands: tuple[int, ...] = ()
    scale: tuple[float, float] | None = None
    width: int = 96
    depth: int = 2
    norm: Norm = "channel"
    neck_norm: Norm = "none"
    extra: Extra = "output"
    offset: float = 0.5
    score: float = 0.3
    largest: int = 0
    bvr: BvrConfig | None = field(default_factory=BvrConfig)

    def __post_init__(self) -> None:
        positive(classes=self.classes, zoom=self.zoom, width=self.width, depth=self.depth)
        if len(self.bands) not in (0, 1, 3) or min(self.bands, default=1) < 1:
            raise ValueError(f"bands must be one or three numbers from 1, not {self.bands}")
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise ValueError(f"scale must be two values, the lower first, not {self.scale}")
        if not 0 < self.score <= 1:
            raise ValueError(f"score must lie above 0 and up to 1, not {self.score}")
        if self.largest < 0:
            raise ValueError(f"largest must be a number of pixels, not {self.largest}")
        if self.names and len(self.names) != self.classes:
            raise ValueError(f"{len(self.names)} names for {self.classes} classes: {self.names}")


@dataclass(frozen=True)
class Detections:
    """Objects found in one picture, best first.

    Attributes:
        boxes: x0, y0, x1, y1 in pixels of the picture: (N, 4), float32.
        scores: In 0..1: (N).
        labels: Indices of classes: (N), int64.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Detections:
        """The same on another device."""
        return Detections(*(t.to(device) for t in (self.boxes, self.scores, self.labels)))


class Raw(NamedTuple):
    """All that the network says of a batch.

    Attributes:
        predictions: Of the host.
        points: Of the bridge; None without one.
        cells: The cells both refer to.
    """

    predictions: Predictions
    points: PointMaps | None
    cells: Cells


class Detector(nn.Module):
    """Boxes, scores and classes of the objects in a picture."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config.backbone)
        widths = self.encoder.widths[-3:]
        self.neck = Pyramid(widths, config.width, config.extra, config.neck_norm)
        self.cls, self.box = (
            nn.Sequential(
                *(conv_block(config.width, config.width, config.norm) for _ in range(config.depth))
            )
            for _ in range(2)
        )
        self.host: Host = HOSTS[config.host](config.width, config.classes, config.offset)
        # The last to draw random numbers: a seed starts hosts with and without a bridge alike.
        self.bridge = Bridge(config.bvr, config.width, config.classes) if config.bvr else None

    @property
    def descriptor(self) -> ModelDescriptor:
        """Tiles are pictures of their own: keys are chosen over each."""
        name = f"detector.{self.config.host}"
        return ModelDescriptor(name, in_channels=3, out_channels=4, multiple=STRIDE)

    def forward(self, images: Tensor) -> Raw:
        """What the network says of RGB pictures (B, 3, H, W) in 0..1.

        Raises:
            ValueError: A side is no multiple of 32.
        """
        if images.shape[2] % STRIDE or images.shape[3] % STRIDE:
            sides = f"{images.shape[3]}×{images.shape[2]}"
            raise ValueError(f"the sides of {sides} pixels must be multiples of {STRIDE}")
        maps = self.neck(self.encoder(images)[-3:])
        cells = cells_of(maps)
        cls, box = [self.cls(m) for m in maps], [self.box(m) for m in maps]
        points = None
        if self.bridge is not None:
            cls, box, points = self.bridge(maps, cls, box, cells)
        return Raw(self.host(cls, box), points, cells)

    @torch.no_grad()
    def detect(
        self, images: Tensor, *, score: float = 0.05, iou: float = 0.6, limit: int = 100
    ) -> list[Detections]:
        """Objects in each of the RGB pictures (B, 3, H, W) in 0..1, any H, W >= 1.

        Args:
            images: Pictures of one size.
            score: Least score.
            iou: Overlap that two objects of a class may have.
            limit: Most objects of one picture.
        """
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % STRIDE, 0, -height % STRIDE))
        raw = self(padded.contiguous(memory_format=torch.channels_last))
        scores = self.host.scores(raw.predictions)
        boxes = self.host.boxes(raw.predictions.codes, raw.cells)
        corner = boxes.new_tensor([width, height, width, height])
        boxes = boxes.clamp_min(0).minimum(corner)
        return [_selected(b, s, score, iou, limit) for b, s in zip(boxes, scores, strict=True)]


def _encoder(name: Backbone) -> LiteEncoder | ResNet:
    if name == "lite0":
        return LiteEncoder()
    return ResNet(18 if name == "resnet18" else 50)


def _selected(boxes: Tensor, scores: Tensor, score: float, iou: float, limit: int) -> Detections:
    """The best of one picture: boxes (N, 4), scores (N, classes)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    scores = scores * (sides > 0).all(1, keepdim=True)  # nothing left inside the picture
    flat = scores.flatten()
    best = flat.topk(min(max(_CANDIDATES, 6 * limit), len(flat)))
    index = best.indices[best.values >= score]
    labels = index % scores.shape[1]
    found, values = boxes[index // scores.shape[1]], flat[index]
    kept = nms(found, values, labels, iou)[:limit]
    return Detections(found[kept], values[kept], labels[kept])
