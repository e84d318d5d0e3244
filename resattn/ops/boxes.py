"""Boxes as numbers: overlap, its generalisation, and suppression of duplicates.

A box is (x0, y0, x1, y1) in pixels, the origin at the outer corner of the first pixel; its area
is (x1 - x0)(y1 - y0).
"""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 256


def area(boxes: Tensor) -> Tensor:
    """Areas (...) of boxes (..., 4); 0 where a side is negative."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), broadcast; 0 where both are empty."""
    both, union = _overlap(a, b)
    return both / union.clamp_min(torch.finfo(union.dtype).tiny)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of each of `a` (..., N, 4) with each of `b` (..., M, 4): (..., N, M)."""
    return iou(a[..., :, None, :], b[..., None, :, :])


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of boxes (..., 4), broadcast, in (-1, 1].

    IoU less the share of the smallest enclosing box that neither covers, so that boxes apart
    still pull at each other (Rezatofighi et al., CVPR 2019, algorithm 1).
    """
    both, union = _overlap(a, b)
    sides = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull = sides.clamp_min(0).prod(-1)
    tiny = torch.finfo(union.dtype).tiny
    return both / union.clamp_min(tiny) - (hull - union) / hull.clamp_min(tiny)


def nms(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Indices (K) of the boxes that no better box of their label overlaps, best first.

    Greedy: a box is dropped if its IoU with a kept box of the same label and a higher score (the
    first, among equals) exceeds the threshold. Memory grows with the boxes kept, not with the
    square of all.

    Args:
        boxes: (N, 4).
        scores: (N).
        labels: (N), integers.
        threshold: IoU that is still tolerated, in 0..1.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = order[:0]
    for block in order.split(_BLOCK):
        free = block[~_covered(block, kept, boxes, labels, threshold).any(1)]
        # Inside a block: a box falls to a better one that stands. Settled from the best down,
        # each round fixes at least one more box, in practice all within a few.
        beats = _covered(free, free, boxes, labels, threshold).tril(-1)
        stands = torch.ones_like(free, dtype=torch.bool)
        while True:
            settled = ~(beats & stands).any(1)
            if torch.equal(settled, stands):
                break
            stands = settled
        kept = torch.cat([kept, free[stands]])
    return kept


def _covered(
    these: Tensor, those: Tensor, boxes: Tensor, labels: Tensor, threshold: float
) -> Tensor:
    """Whether each of `these` overlaps each of `those` too much: (N, M)."""
    same = labels[these][:, None] == labels[those]
    return same & (pairwise_iou(boxes[these], boxes[those]) > threshold)


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of intersection and union."""
    corner = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    both = corner.clamp_min(0).prod(-1)
    return both, area(a) + area(b) - both
