"""What windows of a picture showed, as a file: seen by one process of a run, merged by another."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from resattn.detection.found import Found
from resattn.pipelines.parcel import Parcel
from resattn.pipelines.plan import Item


def write(path: Path, views: Iterable[Found]) -> None:
    """The file of some windows.

    Raises:
        OutputError: As `Parcel.write`.
    """
    views = list(views)
    found = Found.together(views)
    arrays = {"boxes": found.boxes, "scores": found.scores, "labels": found.labels}
    counts = np.array([len(view) for view in views], np.int64)
    Parcel(None, {**arrays, "counts": counts}).write(path)


def read(strips: Sequence[Item]) -> Iterator[Found]:
    """What each window of all strips showed, in order.

    Raises:
        ItemError: E301, a file is gone or damaged.
    """
    for item in strips:
        arrays = Parcel.read(item.output).arrays
        found = Found(arrays["boxes"], arrays["scores"], arrays["labels"])
        ends = [0, *np.cumsum(arrays["counts"]).tolist()]
        for start, end in itertools.pairwise(ends):
            yield found.only(np.arange(start, end))
