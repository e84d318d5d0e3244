"""ATSS, FCOS and RetinaNet: what is predicted per cell, and which boxes that means.

Zhang et al., CVPR 2020 (ATSS); Tian et al., ICCV 2019 (FCOS); Lin et al., ICCV 2017 (RetinaNet).
All three share their towers; they differ in the last layers, in the boxes predictions start from,
and in training (`resattn.training.detect_assign`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.models.detect_points import PRIOR
from resattn.models.detect_pyramid import STRIDES, Cells, flat, last_conv

_GROWTH = math.log(1000 / 16)
"""Largest logarithm of the ratio between a box and its anchor."""


class Predictions(NamedTuple):
    """What a host says of each of N anchors, finest level first, cells row by row.

    Attributes:
        logits: Of the classes: (B, N, classes), float32.
        codes: Of the box, see `Host.boxes`: (B, N, 4), float32.
        centreness: Logit of how central the cell is in its object: (B, N); None if the host has
            none.
    """

    logits: Tensor
    codes: Tensor
    centreness: Tensor | None


class Host(nn.Module, ABC):
    """The last layers of a detector.

    Attributes:
        anchors: Predictions per cell.
        start: What fresh codes of boxes are near to.

    Args:
        dim: Channels of the towers.
        classes: Of objects.
        offset: Where in its cell an anchor is centred: 0.5 in the middle, 0 at the upper left
            corner, as in detectors of mmdet 2.
    """

    anchors: ClassVar[int] = 1

    start: ClassVar[float] = 0.0

    def __init__(self, dim: int, classes: int, offset: float) -> None:
        super().__init__()
        self.classes, self.offset = classes, offset
        self.cls = last_conv(dim, self.anchors * classes, PRIOR)
        self.box = last_conv(dim, self.anchors * 4, self.start)

    @abstractmethod
    def forward(self, cls: Sequence[Tensor], box: Sequence[Tensor]) -> Predictions:
        """Predictions from the towers' maps (B, C, H, W) of five levels."""

    @abstractmethod
    def priors(self, cells: Cells) -> Tensor:
        """The boxes that predictions start from: (N, 4), in pixels of the picture."""

    @abstractmethod
    def boxes(self, codes: Tensor, cells: Cells) -> Tensor:
        """The boxes (B, N, 4) in pixels that `codes` (B, N, 4) mean."""

    def scores(self, predictions: Predictions) -> Tensor:
        """Of each class, in 0..1: (B, N, classes).

        With centreness, the geometric mean of both probabilities.
        """
        scores = predictions.logits.sigmoid()
        if predictions.centreness is None:
            return scores
        return (scores * predictions.centreness.sigmoid()[..., None]).sqrt()


class LevelScales(nn.Module):
    """One learned factor per level."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.ones(len(STRIDES)))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The maps, scaled, float32."""
        return [m.float() * s for m, s in zip(maps, self.factors, strict=True)]


class CentredHost(Host):
    """A host with one prediction per cell and centreness, predicted by the box branch."""

    def __init__(self, dim: int, classes: int, offset: float) -> None:
        super().__init__(dim, classes, offset)
        self.centre = last_conv(dim, 1)
        self.scale = LevelScales()

    def forward(self, cls: Sequence[Tensor], box: Sequence[Tensor]) -> Predictions:
        """Predictions from the towers' maps (B, C, H, W) of five levels."""
        logits = flat([self.cls(m) for m in cls], self.classes).float()
        codes = flat(self.scale([self.box(m) for m in box]), 4)
        centreness = flat([self.centre(m) for m in box], 1).float()[..., 0]
        return Predictions(logits, codes, centreness)


class Atss(CentredHost):
    """A square of eight strides per cell, moved and stretched."""

    spread: ClassVar[tuple[float, float]] = (0.1, 0.2)

    def priors(self, cells: Cells) -> Tensor:
        """Squares: (P, 4)."""
        centre = cells.corners + self.offset * cells.strides[:, None]
        half = 4 * cells.strides[:, None]
        return torch.cat([centre - half, centre + half], 1)

    def boxes(self, codes: Tensor, cells: Cells) -> Tensor:
        """Squares moved by codes of a tenth of a side, stretched by exponentials of a fifth."""
        return unwrapped(codes, self.priors(cells), self.spread)


class Fcos(CentredHost):
    """Distances from a cell's centre to the four sides of its object, in cells."""

    start = 1.0  # rectified distances learn only where they are above zero

    def priors(self, cells: Cells) -> Tensor:
        """Boxes of no size at the centres of the cells: (P, 4)."""
        return cells.centres.repeat(1, 2)

    def boxes(self, codes: Tensor, cells: Cells) -> Tensor:
        """Codes are distances to the left, upper, right and lower side; none is below zero."""
        reach = F.relu(codes) * cells.strides[:, None]
        sign = codes.new_tensor([-1, -1, 1, 1])
        return self.priors(cells) + reach * sign


class RetinaNet(Host):
    """Nine anchors per cell: three shapes of three sizes."""

    anchors = 9
    spread: ClassVar[tuple[float, float]] = (1.0, 1.0)

    def forward(self, cls: Sequence[Tensor], box: Sequence[Tensor]) -> Predictions:
        """Predictions from the towers' maps (B, C, H, W) of five levels."""
        logits = flat([self.cls(m) for m in cls], self.classes).float()
        return Predictions(logits, flat([self.box(m) for m in box], 4).float(), None)

    def priors(self, cells: Cells) -> Tensor:
        """Anchors of height to width 1/2, 1, 2 and four strides times 1, 2^1/3, 2^2/3: (9 P, 4)."""
        size = cells.strides.new_tensor([4 * 2 ** (i / 3) for i in range(3)])
        stretch = cells.strides.new_tensor([0.5, 1.0, 2.0]).sqrt()[:, None]
        sides = torch.stack([size / stretch, size * stretch], -1).view(1, self.anchors, 2)
        half = cells.strides[:, None, None] * sides / 2
        centre = (cells.corners + self.offset * cells.strides[:, None])[:, None]
        return torch.cat([centre - half, centre + half], -1).flatten(0, 1)

    def boxes(self, codes: Tensor, cells: Cells) -> Tensor:
        """Anchors moved by codes of a side, stretched by exponentials."""
        return unwrapped(codes, self.priors(cells), self.spread)


HOSTS: dict[str, type[Host]] = {"atss": Atss, "fcos": Fcos, "retinanet": RetinaNet}


def unwrapped(codes: Tensor, anchors: Tensor, spread: tuple[float, float]) -> Tensor:
    """The boxes that `codes` make of `anchors`; the inverse of `wrapped`.

    Args:
        codes: (..., 4): shift of the centre in sides, logarithm of the growth of the sides; both
            in units of `spread`.
        anchors: (..., 4).
        spread: Of shifts and of growth.
    """
    side = anchors[..., 2:] - anchors[..., :2]
    centre = anchors[..., :2] + side / 2 + codes[..., :2] * spread[0] * side
    growth = (codes[..., 2:] * spread[1]).clamp(-_GROWTH, _GROWTH)
    half = side * growth.exp() / 2
    return torch.cat([centre - half, centre + half], -1)


def wrapped(boxes: Tensor, anchors: Tensor, spread: tuple[float, float]) -> Tensor:
    """The codes (..., 4) of `boxes` relative to `anchors`."""
    side, of = anchors[..., 2:] - anchors[..., :2], boxes[..., 2:] - boxes[..., :2]
    shift = (boxes[..., :2] + of / 2 - anchors[..., :2] - side / 2) / side
    return torch.cat([shift / spread[0], (of / side).log() / spread[1]], -1)
