"""Where corners and centres of objects seem to lie, and the likeliest of them as keys.

The point head of RelationNet++ (Chi, Wei, Hu, NeurIPS 2020, sec. 3.2). Most of the published cost
of the bridge lies here, in three branches of the pyramid's full width; here the kinds share one
narrow trunk unless `BvrConfig.published` asks for theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.config import Config
from resattn.models.detect_pyramid import Cells, Norm, conv_block, flat, last_conv

KINDS: Final = ("top_left_corner", "bottom_right_corner", "center")
PRIOR: Final = -math.log(99)
"""Logit of 0.01, at which every score starts: few cells hold an object."""


@dataclass(frozen=True)
class BvrConfig(Config):
    """Shape of the bridge.

    Attributes:
        heads: Attention heads.
        keys: Points of each kind that every cell attends to.
        per_level: Points of each kind taken from one level at most.
        extent: Units of 8 pixels over which the location table tells offsets apart.
        width: Channels of the point head's trunk.
        depth: Convolutions of the trunk.
        norm: After each of them.
        published: As released: a trunk of full width per kind, the logarithm of the table, which
            keeps most of it from learning, and no zero start.
        head_depth: Convolutions between a published trunk and its last layers.
        shared: Whether classification and boxes read one location table.
    """

    heads: int = 4
    keys: int = 50
    per_level: int = 20
    extent: int = 160
    width: int = 64
    depth: int = 2
    norm: Norm = "channel"
    published: bool = False
    head_depth: int = 0
    shared: bool = True


class PointMaps(NamedTuple):
    """Predictions for every kind of point, over the cells of all levels.

    Attributes:
        logits: That a cell holds a point of an object of a class: (B, 3, P, classes).
        offsets: From the cell's centre to the point, in cells, x before y: (B, 3, P, 2).
    """

    logits: Tensor
    offsets: Tensor


class PointHead(nn.Module):
    """One trunk for all three kinds."""

    def __init__(self, config: BvrConfig, dim: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        dims = [dim, *[config.width] * config.depth]
        self.trunk = nn.Sequential(*(conv_block(a, b, config.norm) for a, b in pairwise(dims)))
        self.scores = last_conv(dims[-1], 3 * classes, PRIOR)
        self.offsets = last_conv(dims[-1], 3 * 2)

    def forward(self, maps: Sequence[Tensor]) -> PointMaps:
        """Predictions from the pyramid's maps (B, C, H, W)."""
        features = [self.trunk(m) for m in maps]
        logits = flat([self.scores(f) for f in features], 3 * self.classes)
        offsets = flat([self.offsets(f) for f in features], 3 * 2)
        parted = (t.unflatten(2, (3, -1)).transpose(1, 2).float() for t in (logits, offsets))
        return PointMaps(*parted)


class PublishedPointHead(nn.Module):
    """A trunk for each kind, with last layers of its own for scores and for offsets."""

    def __init__(self, config: BvrConfig, dim: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.trunks = nn.ModuleList(_convs(config.depth, dim, config.norm) for _ in KINDS)
        self.scores, self.offsets = (
            nn.ModuleList(
                _convs(config.head_depth, dim, config.norm).append(last_conv(dim, out, bias))
                for _ in KINDS
            )
            for out, bias in ((classes, PRIOR), (2, 0.0))
        )

    def forward(self, maps: Sequence[Tensor]) -> PointMaps:
        """Predictions from the pyramid's maps (B, C, H, W)."""
        logits, offsets = [], []
        for trunk, score, offset in zip(self.trunks, self.scores, self.offsets, strict=True):
            features = [trunk(m) for m in maps]
            logits.append(flat([score(f) for f in features], self.classes).float())
            offsets.append(flat([offset(f) for f in features], 2).float())
        return PointMaps(torch.stack(logits, 1), torch.stack(offsets, 1))


def _convs(depth: int, dim: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(*(conv_block(dim, dim, norm) for _ in range(depth)))


class Points(NamedTuple):
    """The likeliest points of each kind.

    Attributes:
        cells: Index of the cell each lies in: (B, 3, K).
        positions: x before y, in pixels of the picture: (B, 3, K, 2).
    """

    cells: Tensor
    positions: Tensor


def likeliest(maps: PointMaps, cells: Cells, config: BvrConfig) -> Points:
    """The `config.keys` best local maxima of each kind, over all levels.

    Where there are too few, other cells follow by their scores. A cell may appear once for each
    class. The score chooses but does not weigh; the offset carries a gradient through the
    position.
    """
    scores = maps.logits.detach().sigmoid()
    batch, classes = scores.shape[0], scores.shape[-1]
    best, places, start = [], [], 0
    for (rows, columns), level in zip(cells.sizes, scores.split(cells.counts, 2), strict=True):
        image = level.flatten(0, 1).transpose(1, 2).unflatten(2, (rows, columns))
        lower = F.max_pool2d(image, 3, 1, 1) > image  # ranks behind every local maximum
        taken = (
            (image - lower.to(image.dtype))
            .flatten(1)
            .topk(min(config.per_level, classes * rows * columns))
        )
        best.append(taken.values)
        places.append(taken.indices % (rows * columns) + start)
        start += rows * columns
    every, where = torch.cat(best, 1), torch.cat(places, 1)
    chosen = where.gather(1, every.topk(min(config.keys, every.shape[1])).indices)
    index = chosen.unflatten(0, (batch, 3))
    offsets = maps.offsets.gather(2, index[..., None].expand(-1, -1, -1, 2))
    strides = cells.strides[index][..., None]
    return Points(index, cells.centres[index] + offsets * strides)
