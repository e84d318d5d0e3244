"""What a picture held, with all that a file about it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from resattn.detection.found import Found
from resattn.io.ground import Ground, Points


@dataclass(frozen=True, slots=True)
class Finding:
    """The objects found in one picture.

    Attributes:
        name: File name of the picture.
        height: Its rows.
        width: Its columns.
        classes: Names that labels count.
        found: Objects, best first.
        ground: Where the picture lies, if it says so.
        sizes_m: Width and height (n, 2) of the objects in metres; None without a ground.
        made_by: What files say of their making, by name.
    """

    name: str
    height: int
    width: int
    classes: tuple[str, ...]
    found: Found
    ground: Ground | None = None
    sizes_m: Points | None = None
    made_by: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        size: tuple[int, int],
        classes: tuple[str, ...],
        found: Found,
        ground: Ground | None,
    ) -> Finding:
        """A finding whose sizes on the ground are measured.

        Raises:
            ItemError: E311 if the CRS has no way to WGS84.
        """
        sizes = None if ground is None else ground.sizes_m(found.boxes)
        return cls(name, *size, classes, found, ground, sizes)

    def above(self, score: float) -> Finding:
        """The same without the objects below a score."""
        kept = self.found.scores >= score
        sizes = None if self.sizes_m is None else self.sizes_m[kept]
        return replace(self, found=self.found.only(kept), sizes_m=sizes)

    def class_names(self) -> list[str]:
        """The class of each object."""
        return [self.classes[label] for label in self.found.labels.tolist()]

    def corners(self) -> Points:
        """Corners (n, 4, 2) of the boxes in pixels: down the left side, up the right one."""
        left, top, right, bottom = self.found.boxes.T
        return np.stack(
            [
                np.stack(corner, axis=1)
                for corner in ((left, top), (left, bottom), (right, bottom), (right, top))
            ],
            axis=1,
        )
