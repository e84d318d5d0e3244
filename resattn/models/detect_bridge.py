"""The bridge of RelationNet++: every cell looks at the likeliest centres and corners.

    cls  <- relu(cls + attention to centres)
    box  <- relu(box + attention to upper left corners + attention to lower right corners)

Chi, Wei and Hu, NeurIPS 2020, eqs. 3-6. What a key is comes from the very map it refines, at the
level and cell where the point was found; all pixels of all levels attend to the same few keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.bias import PointBias
from resattn.mixers.keys import KeyAttention, KeyConfig, Keys
from resattn.models.detect_points import (
    BvrConfig,
    PointHead,
    PointMaps,
    Points,
    PublishedPointHead,
    likeliest,
)
from resattn.models.detect_pyramid import STRIDES, Cells, flat

_CENTRE = (2,)
_CORNERS = (0, 1)


class Bridged(NamedTuple):
    """Refined maps of both branches, and what was predicted of points."""

    cls: list[Tensor]
    box: list[Tensor]
    points: PointMaps


class Bridge(nn.Module):
    """Point head and three attentions, between the towers of a detector and its last layers.

    A fresh bridge adds nothing, unless it is the published one.

    Args:
        config: Its shape.
        dim: Channels of the maps.
        classes: Of objects.
    """

    def __init__(self, config: BvrConfig, dim: int, classes: int) -> None:
        super().__init__()
        self.config = config
        head = PublishedPointHead if config.published else PointHead
        self.head: PointHead | PublishedPointHead = head(config, dim, classes)
        keys = KeyConfig(dim, config.heads, config.extent, STRIDES[0], config.published)
        self.tables = nn.ModuleList(
            PointBias(keys.heads, keys.extent, keys.unit, keys.published)
            for _ in range(1 if config.shared else 2)
        )
        first, last = self.tables[0], self.tables[-1]
        self.cls = nn.ModuleList(_attention(keys, first) for _ in _CENTRE)
        self.box = nn.ModuleList(_attention(keys, last) for _ in _CORNERS)

    def forward(
        self,
        maps: Sequence[Tensor],
        cls: Sequence[Tensor],
        box: Sequence[Tensor],
        cells: Cells,
    ) -> Bridged:
        """Refined `cls` and `box`, maps (B, C, H, W) of five levels, by points found on `maps`."""
        found = self.head(maps)
        points = likeliest(found, cells, self.config)
        return Bridged(
            _refined(cls, self.cls, _CENTRE, points),
            _refined(box, self.box, _CORNERS, points),
            found,
        )


def _attention(config: KeyConfig, table: nn.Module) -> KeyAttention:
    mixer = KeyAttention(config, table)  # type: ignore[arg-type]  # a PointBias of the list
    if not config.published:
        nn.init.zeros_(mixer.proj.weight)
        nn.init.zeros_(mixer.proj.bias)
    return mixer


def _refined(
    maps: Sequence[Tensor], mixers: nn.ModuleList, kinds: Sequence[int], points: Points
) -> list[Tensor]:
    features = flat(maps, maps[0].shape[1])
    images = torch.arange(len(features), device=features.device)[:, None]
    keys = [(features[images, points.cells[:, k]], points.positions[:, k]) for k in kinds]
    refined = []
    for level, stride in zip(maps, STRIDES, strict=True):
        x = level.permute(0, 2, 3, 1)
        for mixer, (feature, position) in zip(mixers, keys, strict=True):
            x = x + mixer(level.permute(0, 2, 3, 1), Keys(feature, position, stride))
        refined.append(F.relu(x).permute(0, 3, 1, 2))
    return refined
