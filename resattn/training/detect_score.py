"""Average precision as COCO defines it, for the validation of a run.

Plain torch, so that a machine that only trains needs nothing else; reports use the full set of
twelve numbers elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from resattn.models.detector import Detections
from resattn.ops.boxes import pairwise_iou

_OVERLAPS = torch.linspace(0.5, 0.95, 10)
_RECALLS = torch.arange(101, dtype=torch.float64) * 0.01


class Precision(NamedTuple):
    """Average precision over IoU 0.5 to 0.95, and at 0.5; means over the classes that occur."""

    ap: float
    ap50: float


def average_precision(
    found: Sequence[Detections], boxes: Sequence[Tensor], labels: Sequence[Tensor], classes: int
) -> Precision:
    """Of `found` against the objects of each picture, boxes (n, 4) and labels (n).

    NaN if there are no objects at all.
    """
    rows = []
    for kind in range(classes):
        total = sum(int((each == kind).sum()) for each in labels)
        if total:
            matched = [
                _matched(f.boxes[f.labels == kind], f.scores[f.labels == kind], b[n == kind])
                for f, b, n in zip(found, boxes, labels, strict=True)
            ]
            scores = torch.cat([score for score, _ in matched])
            hits = torch.cat([hit for _, hit in matched], 1)
            rows.append(_areas(hits[:, scores.argsort(descending=True, stable=True)], total))
    if not rows:
        return Precision(float("nan"), float("nan"))
    table = torch.stack(rows)
    return Precision(float(table.mean()), float(table[:, 0].mean()))


def _matched(found: Tensor, scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (n) of one picture's detections, best first, and whether each hits: (10, n).

    Each takes the object it overlaps most among those that are left, the last among equals.
    """
    hits = torch.zeros(len(_OVERLAPS), len(found), dtype=torch.bool)
    if not len(boxes):
        return scores, hits
    overlaps = pairwise_iou(found, boxes).double()
    least = _OVERLAPS.double() - 1e-10
    free = torch.ones(len(_OVERLAPS), len(boxes), dtype=torch.bool)
    every = torch.arange(len(_OVERLAPS))
    for index, row in enumerate(overlaps):
        left = torch.where(free, row, -1.0).flip(1)
        best = left.max(1)
        hits[:, index] = best.values >= least
        taken = len(boxes) - 1 - best.indices
        free[every, taken] &= ~hits[:, index]
    return scores, hits


def _areas(hits: Tensor, total: int) -> Tensor:
    """Mean precision over 101 recalls for each IoU; hits (10, n), best first."""
    right = hits.double().cumsum(1)
    count = torch.arange(1, hits.shape[1] + 1)
    recall, precision = right / total, right / count
    # The best precision at this recall or beyond.
    envelope = precision.flip(1).cummax(1).values.flip(1)
    envelope = torch.cat([envelope, torch.zeros(len(hits), 1, dtype=torch.float64)], 1)
    place = torch.searchsorted(recall.contiguous(), _RECALLS.expand(len(hits), -1).contiguous())
    return envelope.gather(1, place).mean(1)
