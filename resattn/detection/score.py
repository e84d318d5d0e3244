"""How good findings are: the twelve numbers of COCO, curves, confusions, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resattn.detection.annotations import Marked
from resattn.detection.coco_numbers import Table, curves, defined_mean, numbers
from resattn.detection.found import Found, overlaps
from resattn.errors import ItemError

Counts = NDArray[np.int64]

MATCH: Final = 0.5
"""Overlap from which counts and confusions take a box for an object."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: its average precisions, and precision (101,) at recalls 0, 0.01 … 1, IoU 0.5."""

    name: str
    objects: int
    ap: float
    ap50: float
    precision: Table


@dataclass(frozen=True, slots=True)
class PictureScore:
    """One picture at one least score: objects hit, boxes that hit none, objects missed."""

    name: str
    hits: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of the boxes that hit an object; 1 without boxes where there are no objects."""
        return _share(self.hits, self.false, otherwise=0.0 if self.missed else 1.0)

    @property
    def recall(self) -> float:
        """Share of the objects that were hit; 1 without objects where there are no boxes."""
        return _share(self.hits, self.missed, otherwise=0.0 if self.false else 1.0)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 hits / (2 hits + false + missed)."""
        wrong = self.false + self.missed
        return 2 * self.hits / (2 * self.hits + wrong) if self.hits or wrong else 1.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Findings of a set of pictures against its annotations.

    Attributes:
        numbers: The twelve by name; NaN where no object has that size.
        classes: Class by class.
        confusion: (C + 1, C + 1): rows true classes, columns found ones, the last for none.
        pictures: Worst first.
    """

    numbers: dict[str, float]
    classes: tuple[ClassScore, ...]
    confusion: Counts
    pictures: tuple[PictureScore, ...]


def evaluate(
    truths: Sequence[Marked],
    findings: Sequence[Found],
    classes: Sequence[str],
    *,
    score: float = 0.5,
) -> Evaluation:
    """The evaluation of a set.

    Args:
        truths: What is in each picture; labels count `classes`.
        findings: What was found in it, with all scores down to 0.05 or less; same labels.
        classes: Names.
        score: Least score of the boxes that enter confusion and counts by picture.

    Raises:
        ValueError: If the lengths differ.
    """
    if len(truths) != len(findings):
        raise ValueError(f"{len(findings)} findings for {len(truths)} pictures")
    precision, recall = curves(truths, findings, len(classes))
    likely = [found.above(score).ranked() for found in findings]
    pictures = [picture_score(t, f) for t, f in zip(truths, likely, strict=True)]
    return Evaluation(
        numbers(precision, recall),
        tuple(
            ClassScore(
                name,
                sum(mark.label == k and not mark.crowd for t in truths for mark in t.marks),
                defined_mean(precision[:, :, k, 0, -1]),
                defined_mean(precision[0, :, k, 0, -1]),
                precision[0, :, k, 0, -1],
            )
            for k, name in enumerate(classes)
        ),
        sum(
            (confusion(t, f, len(classes)) for t, f in zip(truths, likely, strict=True)),
            start=np.zeros((len(classes) + 1,) * 2, np.int64),
        ),
        tuple(sorted(pictures, key=lambda p: (p.f1, -p.false - p.missed, p.name))),
    )


def picture_score(truth: Marked, found: Found) -> PictureScore:
    """Counts of one picture; `found` is ranked, each box takes the free object it overlaps most.

    Boxes that lie in a group (a crowd) instead are passed over.
    """
    boxes, labels = truth.boxes(crowds=False), truth.labels(crowds=False)
    crowds = [mark for mark in truth.marks if mark.crowd]
    shares = overlaps(found.boxes, boxes) * (found.labels[:, None] == labels[None])
    free = np.ones(len(boxes), bool)
    hits = false = 0
    for row, box, label in zip(shares, found.boxes, found.labels, strict=True):
        best = int(np.argmax(row * free)) if len(row) else -1
        if best >= 0 and free[best] and row[best] >= MATCH:
            free[best] = False
            hits += 1
        elif not any(mark.label == label and _inside(box, mark.box) >= MATCH for mark in crowds):
            false += 1
    return PictureScore(truth.name, hits, false, len(boxes) - hits)


def confusion(truth: Marked, found: Found, classes: int) -> Counts:
    """Counts (C + 1, C + 1) of one picture: pairs by overlap whatever the class, best first."""
    table = np.zeros((classes + 1, classes + 1), np.int64)
    labels = truth.labels(crowds=False)
    shares = overlaps(truth.boxes(crowds=False), found.boxes)
    left_true, left_found = set(range(len(labels))), set(range(len(found)))
    for flat in np.argsort(-shares, axis=None, kind="stable"):
        i, j = divmod(int(flat), max(len(found), 1))
        if shares[i, j] < MATCH:
            break
        if i in left_true and j in left_found:
            left_true.remove(i)
            left_found.remove(j)
            table[labels[i], found.labels[j]] += 1
    for i in left_true:
        table[labels[i], classes] += 1
    for j in left_found:
        table[classes, found.labels[j]] += 1
    return table


def relabelled(
    found: Found, classes: Sequence[str], truth_classes: Sequence[str]
) -> tuple[Found, list[str]]:
    """Findings with labels of the annotations, and the classes of the detector they do not have.

    Names are compared without regard to case. What is of a class the annotations do not have is
    left out, since nobody marked it.

    Raises:
        ItemError: E333 if no class is common to both.
    """
    index = {name.casefold(): i for i, name in enumerate(truth_classes)}
    table = np.array([index.get(name.casefold(), -1) for name in classes], np.int64)
    if (table < 0).all():
        raise ItemError(
            f"the detector finds {', '.join(classes)}, the annotations mark "
            f"{', '.join(truth_classes)}",
            "rename the classes of the annotations",
            code="E333",
        )
    labels = table[found.labels]
    kept = labels >= 0
    unknown = [name for name, to in zip(classes, table, strict=True) if to < 0]
    return Found(found.boxes[kept], found.scores[kept], labels[kept]), unknown


def _inside(box: Table, crowd: Sequence[float]) -> float:
    """Share of a box that lies in a group."""
    low, high = np.maximum(box[:2], crowd[:2]), np.minimum(box[2:], crowd[2:])
    return float(np.clip(high - low, 0, None).prod() / (box[2:] - box[:2]).prod())


def _share(part: int, rest: int, *, otherwise: float) -> float:
    return part / (part + rest) if part + rest else otherwise
