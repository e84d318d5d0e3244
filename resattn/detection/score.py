"""How good findings are: the twelve numbers of COCO, curves, confusions, picture by picture.

The twelve are computed by faster-coco-eval, whose values are those of pycocotools; the rest here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from resattn.detection.annotations import Marked
from resattn.detection.found import Found, overlaps
from resattn.errors import ItemError

Table = NDArray[np.float64]
Counts = NDArray[np.int64]

COUNTED: Final = 100
"""Objects of a picture that COCO counts, best first."""

NUMBERS: Final = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
"""The twelve numbers in COCO's order."""

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
                _mean(precision[:, :, k, 0, -1]),
                _mean(precision[0, :, k, 0, -1]),
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


def curves(
    truths: Sequence[Marked], findings: Sequence[Found], classes: int
) -> tuple[Table, Table]:
    """Precision (10, 101, C, 4, 3) and recall (10, C, 4, 3) of COCO; -1 where undefined.

    Axes are IoU, recall, class, size of the objects, boxes counted of each picture.
    """
    truth = _coco(_truth_rows(truths), len(truths), classes)
    rows = _found_rows(findings)
    if not any(mark for t in truths for mark in t.marks) or not rows:
        return _empty(truths, classes)
    evaluation = COCOeval_faster(truth, _coco(rows, len(truths), classes), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    shape = len(evaluation.params.iouThrs), len(evaluation.params.recThrs), classes, 4, 3
    precision = np.asarray(evaluation.eval["precision"], np.float64).reshape(shape)
    recall = np.asarray(evaluation.eval["recall"], np.float64).reshape(shape[:1] + shape[2:])
    return precision, recall


def _empty(truths: Sequence[Marked], classes: int) -> tuple[Table, Table]:
    """The curves where nothing was found: 0 for what there is, undefined for what there is not."""
    precision, recall = np.full((10, 101, classes, 4, 3), -1.0), np.full((10, classes, 4, 3), -1.0)
    limits = ((0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10))
    for mark in (mark for t in truths for mark in t.marks if not mark.crowd):
        for size, (low, high) in enumerate(limits):
            if low <= _area(mark.box, mark.area) <= high:
                precision[:, :, mark.label, size], recall[:, mark.label, size] = 0, 0
    return precision, recall


def _coco(rows: list[dict[str, Any]], images: int, classes: int) -> COCO:
    return COCO(
        {
            "images": [{"id": i} for i in range(1, images + 1)],
            "categories": [{"id": k, "name": str(k)} for k in range(1, classes + 1)],
            "annotations": rows,
        }
    )


def _truth_rows(truths: Sequence[Marked]) -> list[dict[str, Any]]:
    marks = [(image, mark) for image, t in enumerate(truths, start=1) for mark in t.marks]
    return [
        {
            "id": i,
            "image_id": image,
            "category_id": mark.label + 1,
            "bbox": _sized(mark.box),
            "area": _area(mark.box, mark.area),
            "iscrowd": int(mark.crowd),
        }
        for i, (image, mark) in enumerate(marks, start=1)
    ]


def _found_rows(findings: Sequence[Found]) -> list[dict[str, Any]]:
    found = Found.together(findings)
    images = np.repeat(np.arange(1, len(findings) + 1), [len(one) for one in findings])
    sizes = found.boxes[:, 2:] - found.boxes[:, :2]
    boxes = np.hstack([found.boxes[:, :2], sizes])
    columns = images, found.labels + 1, boxes, sizes.prod(1), found.scores
    return [
        {
            "id": i,
            "image_id": image,
            "category_id": category,
            "bbox": box,
            "area": area,
            "iscrowd": 0,
            "score": score,
        }
        for i, (image, category, box, area, score) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True), start=1
        )
    ]


def numbers(precision: Table, recall: Table) -> dict[str, float]:
    """The twelve by name, of `curves`; NaN where no object has that size."""
    values = [
        _mean(precision[:, :, :, 0, 2]),
        *(_mean(precision[iou, :, :, 0, 2]) for iou in (0, 5)),
        *(_mean(precision[:, :, :, size, 2]) for size in (1, 2, 3)),
        *(_mean(recall[:, :, 0, limit]) for limit in (0, 1, 2)),
        *(_mean(recall[:, :, size, 2]) for size in (1, 2, 3)),
    ]
    return dict(zip(NUMBERS, values, strict=True))


def _mean(values: Table) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")


def _sized(box: Sequence[float]) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def _area(box: Sequence[float], stated: float = 0.0) -> float:
    return stated or (box[2] - box[0]) * (box[3] - box[1])


def _inside(box: Table, crowd: Sequence[float]) -> float:
    """Share of a box that lies in a group."""
    low, high = np.maximum(box[:2], crowd[:2]), np.minimum(box[2:], crowd[2:])
    return float(np.clip(high - low, 0, None).prod() / (box[2:] - box[:2]).prod())


def _share(part: int, rest: int, *, otherwise: float) -> float:
    return part / (part + rest) if part + rest else otherwise
