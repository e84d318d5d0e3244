"""The options of `detect`, frozen, and which of them make no sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resattn.detection.finder import FLOOR, TILE, Sight
from resattn.detection.writers import FORMS
from resattn.errors import UserError
from resattn.models.detector import DetectorConfig
from resattn.pipelines.compute_config import ComputeConfig


@dataclass(frozen=True, slots=True)
class DetectConfig(ComputeConfig):
    """Everything that decides what `detect` computes, as the command line names it.

    Attributes:
        weights: A listed name, with or without ``detect.``, or a file; empty takes the only one.
        score: Least score of an object; the COCO file holds those down to 0.05 all the same. 0
            takes what the weights were given in training.
        iou: Overlap that two objects of a class may have.
        limit: Most objects of one window.
        bands: Band numbers for red, green and blue by comma, or one; empty takes those of the
            training for rasters, else the natural ones.
        scale: ``LOW,HIGH``: the values that become black and white; empty takes those of the
            training for rasters, else measures them.
        size: Longer side photographs are scaled down to; 0 keeps them as they are; below 0 takes
            what the weights were trained at.
        zoom: How many times rasters are enlarged; 0 takes what the weights were trained at.
        write: Further forms by comma.
        overlay: Write the picture with the objects framed.
        max_pixels: Most pixels a picture may claim; 0 takes the limit of its format.
        tile: Side of a window as the network sees it; 0 takes 512, or twice the overlap where that
            is more.
        overlap: Pixels that windows share, as the network sees them; 0 takes the size of the
            largest objects of the training, a quarter where the weights do not say it, and half a
            window at most.
        ram: Without effect: one window is in memory at a time.
        seed: Without effect: nothing here is random.
    """

    weights: str = ""
    score: float = 0.0
    iou: float = 0.6
    limit: int = 300
    bands: str = ""
    scale: str = ""
    size: int = -1
    zoom: int = 0
    write: str = ""
    overlay: bool = False
    max_pixels: int = 0

    def result_options(self) -> dict[str, Any]:
        """The options that can change a box: what the provenance hash covers."""
        names = ("score", "iou", "limit", "bands", "scale", "size", "zoom", "tile", "overlap")
        return {name: getattr(self, name) for name in (*names, "device", "precision")}

    def check(self) -> None:
        """Refuses what cannot be meant.

        Raises:
            UserError: E208 if a value is out of range or unknown.
        """
        if not 0 <= self.score <= 1 or not 0 < self.iou <= 1 or self.limit < 1:
            raise UserError(
                f"--score {self.score:g}, --iou {self.iou:g}, --limit {self.limit}",
                "give a score from 0 to 1, an IoU above 0 and up to 1, a limit from 1",
                code="E208",
            )
        unknown = [form for form in self.forms() if form not in FORMS]
        if unknown:
            raise UserError(
                f"--write {unknown[0]!r} is not known", f"choose {', '.join(FORMS)}", code="E208"
            )
        self.band_numbers()
        self.limits()

    def forms(self) -> list[str]:
        """The further forms."""
        return _words(self.write)

    def band_numbers(self) -> tuple[int, ...]:
        """The bands chosen, from 1.

        Raises:
            UserError: E208 if they are not one or three numbers.
        """
        words = _words(self.bands)
        if len(words) not in (0, 1, 3) or not all(w.isdecimal() and int(w) for w in words):
            raise UserError(f"--bands {self.bands!r}", "give one or three, as 3,2,1", code="E208")
        return tuple(map(int, words))

    def limits(self) -> tuple[float, float] | None:
        """The values that become black and white, if they are given.

        Raises:
            UserError: E208 if they are not two numbers, the lower first.
        """
        if not self.scale:
            return None
        try:
            low, high = map(float, _words(self.scale))
        except ValueError:
            low = high = 0.0
        if not low < high:
            raise UserError(f"--scale {self.scale!r}", "give two values, as 0,3000", code="E208")
        return low, high

    def sight(self, trained: DetectorConfig) -> Sight:
        """How pictures are looked at by a network trained so.

        Raises:
            UserError: E208 if tile, overlap and zoom do not fit together.
        """
        tile = self.tile or max(TILE, 2 * (self.overlap or trained.largest))
        return Sight(
            tile=tile,
            overlap=self.overlap or min(trained.largest or tile // 4, tile // 2),
            side=trained.side if self.size < 0 else self.size,
            zoom=self.zoom or trained.zoom,
            score=min(self.score or FLOOR, FLOOR),
            iou=self.iou,
            limit=self.limit,
        )


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", "").split(",") if word]
