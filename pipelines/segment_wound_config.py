"""The options of `segment-wound`, frozen, and which of them contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resattn.errors import UserError
from resattn.io.dicom import pydicom
from resattn.pipelines.compute_config import ComputeConfig


@dataclass(frozen=True, slots=True)
class SegmentWoundConfig(ComputeConfig):
    """Everything that decides what `segment_wound` computes, as the command line names it.

    Attributes:
        weights: A listed name or a file; empty takes the default.
        threshold: Least probability of a wound's pixel; 0 takes the one set with the weights.
        tta: Average over eight turns of the photograph.
        fast: See it smaller, and only once.
        refine: Look a second time, closer, at what the first look suspects.
        marker_mm: Side of the black square of a printed marker in the photograph; 0 for none.
        coin_mm: Diameter of a coin in the photograph; 0 for none.
        px_per_mm: Pixels per millimetre, for photographs taken squarely; 0 for unknown.
        overlay: Write the photograph with the outline drawn in.
        probability: Write the probability map.
        dicom_seg: Write the mask as DICOM SEG, and unless the photograph is DICOM that as well.
        follow_up: Treat the photographs of a folder as one wound over time.
        max_pixels: Most pixels a photograph may claim; 0 takes the limit of its format.
        tile: Without effect: a photograph is seen whole.
        overlap: Without effect.
        ram: Without effect.
        seed: Without effect: nothing here is random.
    """

    weights: str = ""
    threshold: float = 0.0
    tta: bool = False
    fast: bool = False
    refine: bool = True
    marker_mm: float = 0.0
    coin_mm: float = 0.0
    px_per_mm: float = 0.0
    overlay: bool = True
    probability: bool = False
    dicom_seg: bool = False
    follow_up: bool = False
    max_pixels: int = 0

    def result_options(self) -> dict[str, Any]:
        """The options that can change a mask or a measure: what the provenance hash covers."""
        names = ("threshold", "tta", "fast", "refine", "marker_mm", "coin_mm", "px_per_mm")
        return {name: getattr(self, name) for name in (*names, "device", "precision")}

    def check(self) -> None:
        """Refuses what cannot be meant.

        Raises:
            UserError: E208 if options exclude each other or a value is out of range; E217 if
                DICOM is asked for and pydicom is not installed.
        """
        if self.dicom_seg:
            pydicom()
        sizes = {name: getattr(self, name) for name in ("marker_mm", "coin_mm", "px_per_mm")}
        given = [f"--{name.replace('_', '-')}" for name, size in sizes.items() if size]
        if len(given) > 1:
            raise UserError(
                f"{' and '.join(given)} exclude each other", "give one of them", code="E208"
            )
        if not 0 <= self.threshold < 1 or min(sizes.values()) < 0:
            raise UserError(
                f"--threshold {self.threshold:g}, --marker-mm {self.marker_mm:g}, "
                f"--coin-mm {self.coin_mm:g}, --px-per-mm {self.px_per_mm:g}",
                "give a threshold between 0 and 1 and sizes above 0",
                code="E208",
            )
