"""One object, seen in several windows, becomes one box.

Three rules, the first two about what each window could see:

1. Two boxes of one class from different windows are views of one object if, cut to the ground that
   both saw, they overlap. A box that shows the object whole is kept before one that shows a part;
   of two whole ones the likelier is kept; two parts are joined. A box that is kept keeps its own
   score: what a window thinks of a part, it does not think of the whole.
2. A box that is left and ends where its window ends, while the neighbour there saw all of it and
   more, is dropped: the neighbour decides.
3. Of two boxes that still overlap by more than a detector lets stand in one window, or that two
   windows gave and rule 1 would call one object, the less likely is dropped. A box kept of two
   views may lie nearer to a third than either window would allow.

Windows are compared as they come, each with those it shares pixels with, so that memory holds about
a row of windows besides the boxes found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resattn.detection.annotations import Boxes
from resattn.detection.found import Found, paired_overlaps
from resattn.tiling import Window

SAME = 0.5
"""Overlap from which two views are of one object."""

_EDGE_SHARE = 1 / 128  # of a window's side: boxes this near to its edge may go on beyond it


@dataclass(slots=True)
class _Seen:
    """Boxes of a window, and of each the ground (n, 4) on which it was looked for."""

    found: Found
    ground: Boxes
    alive: NDArray[np.bool_]


class Seams:
    """Boxes of the windows of one picture, put together as the windows come.

    Args:
        height: Rows of the picture.
        width: Columns.
        iou: Overlap that two objects of a class may have.
    """

    def __init__(self, height: int, width: int, iou: float = 0.6) -> None:
        self._iou = iou
        self._picture = np.array([0, 0, width, height], np.float64)
        self._open: dict[tuple[int, int], _Seen] = {}
        self._windows: dict[tuple[int, int], Window] = {}
        self._done: list[Found] = []

    def add(self, place: tuple[int, int], window: Window, found: Found) -> None:
        """Takes what was found in a window, in pixels of the picture; windows come row by row."""
        self._close(window.row)
        ground = np.tile(_edges(window), (len(found), 1))
        own = Found(found.boxes.copy(), found.scores.copy(), found.labels)
        new = _Seen(own, ground, np.ones(len(found), bool))
        near = [other for other, seen in self._windows.items() if seen.intersection(window)]
        for other in near:
            self._match(self._open[other], new, window.height)
        for other in near:
            self._drop_parts(self._open[other], self._windows[other], window)
            self._drop_parts(new, window, self._windows[other])
        for other in near:
            self._suppress(self._open[other], new)
        self._suppress(new, new)
        self._open[place], self._windows[place] = new, window

    def result(self) -> Found:
        """All boxes, best first; nothing can be added after it."""
        self._close(None)
        return Found.together(self._done).ranked()

    def _close(self, row: int | None) -> None:
        """Puts away the windows that end above a row, or all: none to come touches them."""
        ended = [place for place, w in self._windows.items() if row is None or w.bottom <= row]
        for place in ended:
            del self._windows[place]
            seen = self._open.pop(place)
            self._done.append(seen.found.only(seen.alive))

    def _drop_parts(self, seen: _Seen, window: Window, other: Window) -> None:
        """Rule 2: drops what ends at an edge of its `window` where `other` saw all of it."""
        boxes, edges, beyond = seen.found.boxes, _edges(window), _edges(other)
        own = (seen.ground == edges).all(1)
        ends = self._ends(boxes, seen.ground, window.height)
        further = np.array([1, 1, -1, -1]) * (edges - beyond) > 0
        inside = (boxes[:, :2] >= beyond[:2]).all(1) & (boxes[:, 2:] <= beyond[2:]).all(1)
        seen.alive &= ~(own & inside & (ends & further).any(1))

    def _match(self, old: _Seen, new: _Seen, side: int) -> None:
        """Rule 1; what stays of two views stays in `new`, which later windows are compared with."""
        i, j = _pairs(old, new)
        likeness = _likeness(old, new, i, j)
        for k in np.argsort(-likeness, kind="stable"):
            if likeness[k] < SAME:
                break
            a, b = int(i[k]), int(j[k])
            if old.alive[a] and new.alive[b]:
                self._settle(old, a, new, b, side)

    def _suppress(self, old: _Seen, new: _Seen) -> None:
        """Rule 3, among the boxes of two windows, or of one."""
        i, j = _pairs(old, new)
        if old is new:
            i, j = i[i < j], j[i < j]
        shares = paired_overlaps(old.found.boxes[i], new.found.boxes[j])
        least = self._iou if old is new else min(self._iou, SAME)
        i, j = i[shares > least], j[shares > least]
        scores = old.found.scores[i], new.found.scores[j]
        for k in np.argsort(-np.maximum(*scores), kind="stable"):
            a, b = int(i[k]), int(j[k])
            if old.alive[a] and new.alive[b]:
                first = scores[0][k] >= scores[1][k]
                old.alive[a] &= first
                new.alive[b] &= not first

    def _settle(self, old: _Seen, a: int, new: _Seen, b: int, side: int) -> None:
        boxes = old.found.boxes[a], new.found.boxes[b]
        scores = old.found.scores[a], new.found.scores[b]
        parts = [
            bool(self._ends(box[None], ground[None], side).any())
            for box, ground in zip(boxes, (old.ground[a], new.ground[b]), strict=True)
        ]
        likelier = int(scores[1] >= scores[0])
        kept = parts.index(False) if any(parts) and not all(parts) else likelier
        old.alive[a] = False
        new.found.boxes[b] = _hull(*boxes) if all(parts) else boxes[kept]
        new.found.scores[b] = scores[kept]
        new.ground[b] = _hull(old.ground[a], new.ground[b])

    def _ends(self, boxes: Boxes, ground: Boxes, side: int) -> NDArray[np.bool_]:
        """Which sides (n, 4) of boxes lie at an edge of the ground inside the picture."""
        at_edge = np.abs(boxes - ground) <= max(1.0, side * _EDGE_SHARE)
        ends: NDArray[np.bool_] = at_edge & (ground != self._picture)
        return ends


def _pairs(old: _Seen, new: _Seen) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of all pairs of one class that both still stand."""
    i, j = np.nonzero(
        (old.found.labels[:, None] == new.found.labels[None]) & old.alive[:, None] & new.alive[None]
    )
    return i, j


def _likeness(old: _Seen, new: _Seen, i: NDArray[np.intp], j: NDArray[np.intp]) -> Boxes:
    """IoU (k,) of pairs of boxes, both cut to the ground on which both were looked for."""
    low = np.maximum(old.ground[i, :2], new.ground[j, :2])
    high = np.minimum(old.ground[i, 2:], new.ground[j, 2:])
    cut = [
        np.concatenate([np.maximum(box[:, :2], low), np.minimum(box[:, 2:], high)], axis=1)
        for box in (old.found.boxes[i], new.found.boxes[j])
    ]
    return paired_overlaps(*cut)


def _edges(window: Window) -> Boxes:
    return np.array([window.col, window.row, window.right, window.bottom], np.float64)


def _hull(first: Boxes, second: Boxes) -> Boxes:
    hull: Boxes = np.concatenate(
        [np.minimum(first[:2], second[:2]), np.maximum(first[2:], second[2:])]
    )
    return hull
