"""Everything that is said about one photograph, from its probabilities to numbers with units."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from resattn.metrics.pair import Mask
from resattn.models.wound_unet import Decision
from resattn.wound.decide import area_masks, decide
from resattn.wound.measure import Size, Wound, confidence, wounds
from resattn.wound.photo import Rgb
from resattn.wound.quality import Flag, flags
from resattn.wound.scale import Scale
from resattn.wound.segment import Probability

NOTICE: Final = "Not a medical device: for research and documentation, not for diagnosis."

Interval = tuple[float, float]


@dataclass(frozen=True)
class Finding:
    """What was found in a photograph.

    Attributes:
        mask: Wounds (H, W).
        wounds: Each of them, largest first.
        area_px: Area of all in pixels.
        area_px_90: Interval that holds the true area of nine photographs of ten.
        area_cm2: Area of all, where there is a scale.
        area_cm2_90: Its interval, with the uncertainty of the scale.
        confidence: Dice the network itself expects of the mask, 0 to 1.
        flags: Why the photograph may not be fit for measuring.
        scale: What the scale comes from; empty where there is none.
    """

    mask: Mask
    wounds: tuple[Wound, ...]
    area_px: float
    area_px_90: Interval
    area_cm2: float | None
    area_cm2_90: Interval | None
    confidence: float
    flags: tuple[Flag, ...]
    scale: str

    def to_json(self) -> dict[str, Any]:
        """Plain values without the mask; lengths in pixels and millimetres."""
        values = {k: v for k, v in vars(self).items() if k not in ("mask", "wounds")}
        return {
            "notice": NOTICE,
            "count": len(self.wounds),
            **values,
            "wounds": [asdict(wound) for wound in self.wounds],
        }

    def numbers(self) -> dict[str, float]:
        """One number per name, for tables: areas of all wounds, lengths of the largest."""
        row = {"wounds": float(len(self.wounds)), "area_px": self.area_px}
        row |= {"area_px_low": self.area_px_90[0], "area_px_high": self.area_px_90[1]}
        row["confidence"] = round(self.confidence, 4)
        if self.area_cm2 is not None and self.area_cm2_90 is not None:
            row |= {"area_cm2": self.area_cm2, "area_cm2_low": self.area_cm2_90[0]}
            row["area_cm2_high"] = self.area_cm2_90[1]
        if self.wounds:
            row |= _lengths(self.wounds[0].px, "px")
            row |= _lengths(self.wounds[0].mm, "mm")
        return row

    def summary(self) -> str:
        """One line for people."""
        if not self.wounds:
            return "no wound found"
        plural = "" if len(self.wounds) == 1 else "s"
        area = f"{self.area_px:.0f} px ({_span(self.area_px_90, 0)})"
        if self.area_cm2 is not None and self.area_cm2_90 is not None:
            area = f"{self.area_cm2:.2f} cm² ({_span(self.area_cm2_90, 2)})"
        return f"{len(self.wounds)} wound{plural}, {area}"


def examine(
    photo: Rgb, probability: Probability, decision: Decision, scale: Scale | None
) -> Finding:
    """The finding in a photograph (3, H, W) with probabilities (H, W); a marker is no wound."""
    height, width = probability.shape
    likely = probability.astype(np.float64)
    if scale is not None:
        likely[scale.reference_mask((height, width))] = 0.0
    mask = decide(likely, decision)
    small, large = area_masks(likely, decision)
    sure = confidence(likely, mask)
    cm2, cm2_90 = None, None
    if scale is not None:
        cm2 = scale.area_mm2(mask) / 100
        low, high = scale.area_interval_mm2(small)[0], scale.area_interval_mm2(large)[1]
        cm2_90 = (low / 100, high / 100)
    return Finding(
        mask=mask,
        wounds=tuple(wounds(mask, scale)),
        area_px=float(np.count_nonzero(mask)),
        area_px_90=(float(np.count_nonzero(small)), float(np.count_nonzero(large))),
        area_cm2=cm2,
        area_cm2_90=cm2_90,
        confidence=sure,
        flags=tuple(flags(photo, mask, sure)),
        scale="" if scale is None else scale.source,
    )


def _lengths(size: Size | None, unit: str) -> dict[str, float]:
    if size is None:
        return {}
    names = ("length", "width", "feret", "perimeter")
    return {f"{name}_{unit}": float(getattr(size, name)) for name in names}


def _span(interval: Interval, digits: int) -> str:
    return f"90 %: {interval[0]:.{digits}f} to {interval[1]:.{digits}f}"
