"""The twelve numbers of COCO, by faster-coco-eval, whose values are those of pycocotools.

The library asks for the overlaps of one class in one picture at a time, which is a third of its
time where there are many of both; here all are computed at once, by the same operations in the
same order, so that no bit changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from resattn.detection.annotations import Boxes, Marked
from resattn.detection.found import Found

Table = NDArray[np.float64]
_Indices = NDArray[np.int64]

COUNTED: Final = 100
"""Objects of a picture that COCO counts, best first."""

NUMBERS: Final = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
"""The twelve numbers in COCO's order."""

_CLASSES: Final = 2**32  # more than there are, to make one number of a picture and a class
_SIZES: Final = ((0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10))


def curves(
    truths: Sequence[Marked], findings: Sequence[Found], classes: int
) -> tuple[Table, Table]:
    """Precision (10, 101, C, 4, 3) and recall (10, C, 4, 3) of COCO; -1 where undefined.

    Axes are IoU, recall, class, size of the objects, boxes counted of each picture.
    """
    true, found = _marked(truths), _found(findings)
    if not len(true.images) or not len(found.images):
        return _empty(true, classes)
    documents = (_coco(columns, len(truths), classes) for columns in (true, found))
    evaluation = _Evaluation(*documents, iouType="bbox")
    evaluation.overlaps = _overlaps(true, found)
    evaluation.evaluate()
    evaluation.accumulate()
    shape = len(evaluation.params.iouThrs), len(evaluation.params.recThrs), classes, 4, 3
    precision = np.asarray(evaluation.eval["precision"], np.float64).reshape(shape)
    recall = np.asarray(evaluation.eval["recall"], np.float64).reshape(shape[:1] + shape[2:])
    return precision, recall


def numbers(precision: Table, recall: Table) -> dict[str, float]:
    """The twelve by name, of `curves`; NaN where no object has that size."""
    values = [
        defined_mean(precision[:, :, :, 0, 2]),
        *(defined_mean(precision[iou, :, :, 0, 2]) for iou in (0, 5)),
        *(defined_mean(precision[:, :, :, size, 2]) for size in (1, 2, 3)),
        *(defined_mean(recall[:, :, 0, limit]) for limit in (0, 1, 2)),
        *(defined_mean(recall[:, :, size, 2]) for size in (1, 2, 3)),
    ]
    return dict(zip(NUMBERS, values, strict=True))


def defined_mean(values: Table) -> float:
    """Mean of what is defined of a curve; NaN if nothing is."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Objects or boxes of all pictures, picture after picture; pictures and classes count from 1.

    Boxes (n, 4) are left, top, width, height.
    """

    images: _Indices
    categories: _Indices
    boxes: Boxes
    areas: Table
    crowds: _Indices
    scores: Table

    def rows(self) -> list[dict[str, Any]]:
        """The annotations of a COCO document."""
        columns = self.images, self.categories, self.boxes, self.areas, self.crowds, self.scores
        return [
            {
                "id": i,
                "image_id": image,
                "category_id": category,
                "bbox": box,
                "area": area,
                "iscrowd": crowd,
                "score": score,
            }
            for i, (image, category, box, area, crowd, score) in enumerate(
                zip(*(column.tolist() for column in columns), strict=True), start=1
            )
        ]


class _Evaluation(COCOeval_faster):  # type: ignore[misc]  # the library has no types
    """The library's evaluation with overlaps that are known beforehand."""

    overlaps: dict[tuple[int, int], Table]

    def computeIoU(self, imgId: int, catId: int) -> Table:  # noqa: N802 (the library's names)
        return self.overlaps[imgId, catId]


def _marked(truths: Sequence[Marked]) -> _Columns:
    marks = [mark for truth in truths for mark in truth.marks]
    boxes = _sized(np.array([mark.box for mark in marks], np.float64).reshape(-1, 4))
    stated = np.array([mark.area for mark in marks], np.float64)
    return _Columns(
        np.repeat(np.arange(1, len(truths) + 1), [len(truth.marks) for truth in truths]),
        np.array([mark.label + 1 for mark in marks], np.int64),
        boxes,
        np.where(stated == 0, boxes[:, 2] * boxes[:, 3], stated),
        np.array([mark.crowd for mark in marks], np.int64),
        np.ones(len(marks)),
    )


def _found(findings: Sequence[Found]) -> _Columns:
    found = Found.together(findings)
    boxes = _sized(found.boxes)
    images = np.repeat(np.arange(1, len(findings) + 1), [len(one) for one in findings])
    none = np.zeros(len(found), np.int64)
    areas = boxes[:, 2] * boxes[:, 3]
    return _Columns(images, found.labels + 1, boxes, areas, none, found.scores)


def _sized(boxes: Boxes) -> Boxes:
    """Corners (n, 4) as left, top, width, height."""
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def _coco(columns: _Columns, images: int, classes: int) -> COCO:
    return COCO(
        {
            "images": [{"id": i} for i in range(1, images + 1)],
            "categories": [{"id": k, "name": str(k)} for k in range(1, classes + 1)],
            "annotations": columns.rows(),
        }
    )


def _overlaps(true: _Columns, found: _Columns) -> dict[tuple[int, int], Table]:
    """Overlaps (n, m) of the counted boxes, best first, with the objects, by picture and class."""
    ours = np.lexsort((-found.scores, found.categories, found.images))
    theirs = np.lexsort((true.categories, true.images))
    first, second = _Groups.of(found, ours), _Groups.of(true, theirs)
    both, i, j = np.intersect1d(first.keys, second.keys, return_indices=True)
    rows, columns = np.minimum(first.counts[i], COUNTED), second.counts[j]
    sizes = rows * columns
    ends = np.cumsum(sizes)
    place = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    across = np.repeat(columns, sizes)
    box = ours[np.repeat(first.starts[i], sizes) + place // across]
    mark = theirs[np.repeat(second.starts[j], sizes) + place % across]
    shares = _shares(found.boxes[box], true.boxes[mark], true.crowds[mark])
    parts = zip(both.tolist(), np.split(shares, ends[:-1]), rows, columns, strict=True)
    return {divmod(key, _CLASSES): part.reshape(n, m) for key, part, n, m in parts}


@dataclass(frozen=True, slots=True)
class _Groups:
    """Runs of one picture and class in sorted columns: which, from where, how many."""

    keys: _Indices
    starts: _Indices
    counts: _Indices

    @classmethod
    def of(cls, columns: _Columns, order: _Indices) -> _Groups:
        keys = columns.images[order] * _CLASSES + columns.categories[order]
        return cls(*np.unique(keys, return_index=True, return_counts=True))


def _shares(found: Boxes, true: Boxes, crowds: _Indices) -> Table:
    """Intersection over union (n,) of pairs; over the box alone where the object is a crowd."""
    low = np.maximum(found[:, :2], true[:, :2])
    high = np.minimum(found[:, :2] + found[:, 2:], true[:, :2] + true[:, 2:])
    sides = np.clip(high - low, 0, None)
    both = sides[:, 0] * sides[:, 1]
    area = found[:, 2] * found[:, 3]
    union = np.where(crowds == 1, area, area + true[:, 2] * true[:, 3] - both)
    shares: Table = np.divide(both, union, out=np.zeros_like(both), where=both > 0)
    return shares


def _empty(true: _Columns, classes: int) -> tuple[Table, Table]:
    """The curves where nothing was found: 0 for what there is, undefined for what there is not."""
    precision, recall = np.full((10, 101, classes, 4, 3), -1.0), np.full((10, classes, 4, 3), -1.0)
    for size, (low, high) in enumerate(_SIZES):
        inside = (true.areas >= low) & (true.areas <= high) & (true.crowds == 0)
        for label in np.unique(true.categories[inside]) - 1:
            precision[:, :, label, size], recall[:, label, size] = 0, 0
    return precision, recall
