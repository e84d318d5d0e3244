"""Average precision as COCO defines it, and the score to count from, for validation in a run.

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
_SCORES = torch.arange(5, 96, dtype=torch.float64) / 100


class Precision(NamedTuple):
    """How well objects are found.

    Attributes:
        ap: Average precision over IoU 0.5 to 0.95, mean over the classes that occur.
        ap50: The same at IoU 0.5.
        f1: Of all objects of those classes together at IoU 0.5, at the best score to count from.
        score: That score, in hundredths.
    """

    ap: float
    ap50: float
    f1: float
    score: float


def average_precision(
    found: Sequence[Detections], boxes: Sequence[Tensor], labels: Sequence[Tensor], classes: int
) -> Precision:
    """Of `found` against the objects of each picture, boxes (n, 4) and labels (n).

    NaN if there are no objects at all.
    """
    every = []
    for kind in range(classes):
        total = sum(int((each == kind).sum()) for each in labels)
        if total:
            matched = [
                _matched(f.boxes[f.labels == kind], f.scores[f.labels == kind], b[n == kind])
                for f, b, n in zip(found, boxes, labels, strict=True)
            ]
            scores = torch.cat([score for score, _ in matched])
            every.append((scores, torch.cat([hit for _, hit in matched], 1), total))
    if not every:
        return Precision(*[float("nan")] * 4)
    table = torch.stack([_areas(s, hits, total) for s, hits, total in every])
    f1, score = _best_f1(
        torch.cat([s for s, _, _ in every]),
        torch.cat([hits[0] for _, hits, _ in every]),
        sum(total for _, _, total in every),
    )
    return Precision(float(table.mean()), float(table[:, 0].mean()), f1, score)


def _best_f1(scores: Tensor, hits: Tensor, objects: int) -> tuple[float, float]:
    """The highest F1 and the least score it is reached from; scores (n), whether each hits (n)."""
    counted = scores.double() >= _SCORES[:, None]
    f1 = 2 * (counted & hits).sum(1).double() / (counted.sum(1) + objects)
    best = int(f1.argmax())
    return float(f1[best]), float(_SCORES[best])


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


def _areas(scores: Tensor, hits: Tensor, total: int) -> Tensor:
    """Mean precision over 101 recalls for each IoU; scores (n), hits (10, n)."""
    right = hits[:, scores.argsort(descending=True, stable=True)].double().cumsum(1)
    count = torch.arange(1, hits.shape[1] + 1)
    recall, precision = right / total, right / count
    # The best precision at this recall or beyond.
    envelope = precision.flip(1).cummax(1).values.flip(1)
    envelope = torch.cat([envelope, torch.zeros(len(hits), 1, dtype=torch.float64)], 1)
    place = torch.searchsorted(recall.contiguous(), _RECALLS.expand(len(hits), -1).contiguous())
    return envelope.gather(1, place).mean(1)
