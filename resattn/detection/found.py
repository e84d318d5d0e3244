"""What was found in a picture: boxes with a score and a class each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resattn.detection.annotations import Boxes

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """Objects found.

    Attributes:
        boxes: (n, 4): left, top, right, bottom in pixels of the picture.
        scores: (n,), 0 to 1.
        labels: (n,): indices of classes.
    """

    boxes: Boxes
    scores: Scores
    labels: Labels

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Found:
        """Nothing."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))

    @classmethod
    def together(cls, parts: Iterable[Found]) -> Found:
        """All of them, in order."""
        some = [cls.none(), *parts]
        return cls(
            np.concatenate([part.boxes for part in some]),
            np.concatenate([part.scores for part in some]),
            np.concatenate([part.labels for part in some]),
        )

    def only(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Found:
        """Those that a mask or indices choose."""
        return Found(self.boxes[which], self.scores[which], self.labels[which])

    def above(self, score: float) -> Found:
        """Those of at least this score."""
        return self.only(self.scores >= score)

    def ranked(self) -> Found:
        """Best first; equals from top to bottom and left to right, so that order is no chance."""
        order = np.lexsort((self.boxes[:, 0], self.boxes[:, 1], -self.scores))
        return self.only(order)


def overlaps(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union (n, m) of each of (n, 4) with each of (m, 4)."""
    return paired_overlaps(first[:, None], second[None])


def paired_overlaps(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union of boxes (..., 4), broadcast; 0 where both are empty."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    union = areas(first) + areas(second) - both
    shares: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return shares


def areas(boxes: Boxes) -> Boxes:
    """Areas (...) of boxes (..., 4); 0 where a side is negative."""
    product: Boxes = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(-1)
    return product
