"""Which prediction is to find which object, for whole batches at once.

A result holds for each anchor the index of its object, `NOTHING` for background, or `IGNORED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import torch
from torch import Tensor

from resattn.models.detect_hosts import Host
from resattn.models.detect_pyramid import STRIDES, Cells
from resattn.ops.boxes import area, pairwise_iou

NOTHING: Final = -1
IGNORED: Final = -2
_CANDIDATES: Final = 9
_INSIDE: Final = 0.01  # pixels by which a centre must lie inside a box
_REACH: Final = 1.5  # cells around an object's centre that FCOS learns from
_SIZES: Final = (0.0, 64.0, 128.0, 256.0, 512.0, float("inf"))
_FOUND: Final = 0.5
_MISSED: Final = 0.4
_EQUAL: Final = 1 - 1e-5  # anchors around a small object overlap it alike, up to rounding


class Truths(NamedTuple):
    """Objects of a batch: boxes (B, M, 4) in pixels, labels (B, M), -1 where there is none."""

    boxes: Tensor
    labels: Tensor

    @property
    def real(self) -> Tensor:
        """Whether there is an object: (B, M)."""
        return self.labels >= 0


def atss(host: Host, cells: Cells, truths: Truths) -> Tensor:
    """Anchors among the nearest that overlap better than is usual for their object: (B, N).

    Per object: the nine nearest anchors of each level; of these, those whose IoU is at least the
    mean plus one standard deviation and whose centre lies inside. Anchors wanted by several go to
    the one they overlap most (Zhang et al., CVPR 2020, algorithm 1).
    """
    priors = host.priors(cells)
    centres, of = _centres(priors), _centres(truths.boxes)
    distance = (of[:, :, None] - centres).square().sum(-1)
    nearest, start = [], 0
    for part, count in zip(distance.split(cells.counts, 2), cells.counts, strict=True):
        top = part.topk(min(_CANDIDATES, count), largest=False)
        nearest.append(top.indices + start)
        start += count
    candidates = torch.cat(nearest, 2)
    overlap = pairwise_iou(truths.boxes, priors).gather(2, candidates)
    least = overlap.mean(2, keepdim=True) + overlap.std(2, keepdim=True)
    inside = _sides(centres[candidates], truths.boxes[:, :, None]).amin(-1) > _INSIDE
    good = (overlap >= least) & inside & truths.real[..., None]
    wanted = torch.full_like(distance, -1).scatter(2, candidates, overlap.where(good, -1))
    return _best(wanted, wanted > -1)


def fcos(host: Host, cells: Cells, truths: Truths) -> Tensor:
    """Cells near the centre of an object whose size suits their level: (B, P).

    Within 1.5 cells of its centre and inside it; the farthest side between 8 and 16 cells away,
    from 0 at the finest level and without end at the coarsest. The smallest object wins (Tian et
    al., ICCV 2019, sec. 3.2, with centre sampling).
    """
    centres = _centres(host.priors(cells))
    boxes = truths.boxes[:, :, None]
    sides = _sides(centres, boxes)
    near = (centres - _centres(boxes)).abs().amax(-1) < _REACH * cells.strides
    levels = torch.repeat_interleave(torch.arange(len(STRIDES)), torch.tensor(cells.counts)).to(
        centres.device
    )
    sizes = centres.new_tensor(_SIZES)
    farthest = sides.amax(-1)
    suits = (farthest >= sizes[levels]) & (farthest <= sizes[levels + 1])
    good = near & suits & (sides.amin(-1) > 0) & truths.real[..., None]
    return _best(-area(boxes).expand_as(farthest), good)


def max_iou(host: Host, cells: Cells, truths: Truths) -> Tensor:
    """Anchors with an IoU of at least 0.5, and the best ones of each object: (B, N).

    From 0.4 to 0.5 they are ignored (Lin et al., ICCV 2017, sec. 4).
    """
    overlap = pairwise_iou(truths.boxes, host.priors(cells))
    overlap = overlap.where(truths.real[..., None], -1)
    best = overlap.max(1)
    assigned = best.indices.where(best.values >= _FOUND, IGNORED)
    assigned = assigned.where(best.values >= _MISSED, NOTHING)
    most = overlap.amax(2, keepdim=True)
    favourite = (overlap >= most * _EQUAL) & (most > 0)
    last = favourite * torch.arange(1, overlap.shape[1] + 1, device=overlap.device)[:, None]
    return (last.amax(1) - 1).where(favourite.any(1), assigned)


ASSIGNERS: Mapping[str, Callable[[Host, Cells, Truths], Tensor]] = MappingProxyType(
    {"atss": atss, "fcos": fcos, "retinanet": max_iou}
)


def _best(value: Tensor, good: Tensor) -> Tensor:
    """Per anchor the object of the highest value (B, M, N) among the good ones."""
    best = value.where(good, -torch.inf).max(1)
    return best.indices.where(good.any(1), NOTHING)


def _centres(boxes: Tensor) -> Tensor:
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _sides(points: Tensor, boxes: Tensor) -> Tensor:
    """Distances of points (..., 2) to the left, upper, right, lower side of boxes (..., 4)."""
    return torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], -1)
