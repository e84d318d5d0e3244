"""Boxes that somebody marked: one shape for COCO, Pascal VOC, YOLO and GeoJSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.io.names import is_utf8, shown

Boxes = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mark:
    """One box: pixels from the picture's top left corner to the box's corners.

    Attributes:
        box: Left, top, right, bottom; the pixel at the top left covers 0 to 1.
        label: Index of its class.
        crowd: A group that scoring passes over (COCO's ``iscrowd``, VOC's ``difficult``).
        area: Of the object itself, which may fill less than its box; 0 takes the box's.
    """

    box: tuple[float, float, float, float]
    label: int
    crowd: bool = False
    area: float = 0.0


@dataclass(frozen=True, slots=True)
class Marked:
    """One picture and what was marked in it; `name` is its path as the annotations give it."""

    name: str
    height: int
    width: int
    marks: tuple[Mark, ...] = ()

    def boxes(self, *, crowds: bool = True) -> Boxes:
        """Corners (n, 4), with or without the groups."""
        kept = [mark.box for mark in self.marks if crowds or not mark.crowd]
        return np.array(kept, np.float64).reshape(-1, 4)

    def labels(self, *, crowds: bool = True) -> NDArray[np.int64]:
        """Class indices (n,), with or without the groups."""
        return np.array([m.label for m in self.marks if crowds or not m.crowd], np.int64)


@dataclass(frozen=True, slots=True)
class Annotations:
    """Pictures and the names of the classes their labels count."""

    classes: tuple[str, ...]
    pictures: tuple[Marked, ...]

    def by_stem(self) -> dict[str, Marked]:
        """The pictures by file name without folder and suffix, in lower case.

        Raises:
            ItemError: E334 if two have the same.
        """
        table: dict[str, Marked] = {}
        for picture in self.pictures:
            other = table.setdefault(Path(picture.name).stem.lower(), picture)
            if other is not picture:
                raise ItemError(
                    f"{shown(other.name)} and {shown(picture.name)} cannot be told apart by stem",
                    "rename one",
                    code="E334",
                )
        return table


def checked_box(box: Sequence[float], size: tuple[int, int], where: str) -> Mark:
    """A mark of class 0 with these corners, once they are known to span part of the picture.

    Args:
        box: Left, top, right, bottom.
        size: Rows and columns of the picture.
        where: The place in the file, for the sentence.

    Raises:
        ItemError: E332 if a corner is not a number, the box is empty or misses the picture.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    text = f"{where}: the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g})"
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise ItemError(f"{text} is not finite", "mend or remove it", code="E332")
    if right <= left or bottom <= top:
        raise ItemError(
            f"{text} is {right - left:g} wide and {bottom - top:g} high",
            "mend or remove it: both must be above 0",
            code="E332",
        )
    height, width = size
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise ItemError(
            f"{text} lies outside the picture of {width}×{height} pixels",
            "mend or remove it",
            code="E332",
        )
    return Mark((left, top, right, bottom), 0)


def safe_name(name: str, where: str) -> str:
    """The relative path of a picture, refusing one that leaves the folder of the annotations.

    Raises:
        ItemError: E313 for absolute paths, ``..``, NUL and text no file name can hold.
    """
    parts = name.replace("\\", "/").split("/")
    drive = len(parts[0]) == 2 and parts[0].endswith(":")
    if not name or not parts[0] or drive or ".." in parts or "\0" in name or not is_utf8(name):
        raise ItemError(
            f"{where}: {shown(name)!r} is no path below the annotations",
            "give relative names without ..",
            code="E313",
        )
    return "/".join(parts)
