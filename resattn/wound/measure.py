"""What a mask says about wounds: how many, how large, how long and wide, and how sure.

Lengths are taken on outlines followed between pixels, in the plane of the scale, so the same code
gives pixels and millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist
from skimage.measure import find_contours

from resattn.metrics.pair import Array, Mask
from resattn.wound.scale import Scale, from_px_per_mm

_PIXELS = from_px_per_mm(1.0)
_TOUCHING = np.ones((3, 3), dtype=np.bool_)
_SMOOTH = 1.0  # pixels: outlines of bare masks would be stairs, 5 % too long


@dataclass(frozen=True)
class Size:
    """One wound, or all together, in pixels or millimetres.

    Attributes:
        area: Area without holes.
        perimeter: Length of the outer outlines.
        length: Longer side of the smallest rectangle around it.
        width: Shorter side of that rectangle.
        feret: Largest distance between two of its points.
    """

    area: float
    perimeter: float
    length: float
    width: float
    feret: float


@dataclass(frozen=True)
class Wound:
    """One connected region of a mask.

    Attributes:
        box: Row, column, height and width in pixels.
        px: Its size in pixels.
        mm: Its size in millimetres, where there is a scale.
    """

    box: tuple[int, int, int, int]
    px: Size
    mm: Size | None


def wounds(mask: Mask, scale: Scale | None = None) -> list[Wound]:
    """The connected regions (eight neighbours) of a mask (H, W), largest first."""
    labels, _ = ndimage.label(mask, structure=_TOUCHING)
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        region = labels[place] == number
        box = (rows.start, columns.start, *region.shape)
        mm = None if scale is None else _size(region, box, scale)
        found.append(Wound(box, _size(region, box, _PIXELS), mm))
    return sorted(found, key=lambda wound: -wound.px.area)


def confidence(probability: Array, mask: Mask) -> float:
    """Dice that the probabilities (H, W) themselves expect of the mask, 0 to 1.

    `2 Σ p m / (Σ p + Σ m)`; for an empty mask the chance that the most suspect pixel is sound.
    """
    if not mask.any():
        return float(1 - probability.max())
    # What is not suspected of anything would drown a small wound in a large photograph.
    suspected = np.where(probability >= 0.1, probability, 0.0).sum(dtype=np.float64)
    inside = probability[mask].sum(dtype=np.float64)
    return float(2 * inside / (suspected + np.count_nonzero(mask)))


def _size(region: Mask, box: tuple[int, int, int, int], scale: Scale) -> Size:
    whole = np.zeros((box[0] + box[2], box[1] + box[3]), dtype=np.bool_)
    whole[box[0] :, box[1] :] = region
    outline = scale.points_mm(_outline(region) + np.array([box[1], box[0]]))
    hull = _hull(outline)
    length, width = _rectangle(hull)
    steps = np.linalg.norm(np.diff(outline, axis=0, append=outline[:1]), axis=1)
    feret = float(pdist(hull).max()) if len(hull) > 1 else 0.0
    return Size(scale.area_mm2(whole), float(steps.sum()), length, width, feret)


def _outline(region: Mask) -> Array:
    """The outer outline (N, 2) of one region as x, y; (0, 0) is the corner of its first pixel."""
    margin = 4
    bare = np.pad(region.astype(np.float64), margin)
    smooth = ndimage.gaussian_filter(bare, _SMOOTH)
    # A region too thin to survive smoothing keeps its stairs.
    level = smooth if smooth.max() > 0.5 else bare
    curves: list[Array] = find_contours(level, 0.5)  # type: ignore[no-untyped-call]  # skimage
    outer = max(curves, key=lambda curve: float(np.ptp(curve, axis=0).prod()))
    points: Array = outer[:-1, ::-1] - margin + 0.5
    return points


def _hull(points: Array) -> Array:
    try:
        corners: Array = points[ConvexHull(points).vertices]
    except QhullError:  # all on one line
        return points
    return corners


def _rectangle(hull: Array) -> tuple[float, float]:
    """Sides of the smallest rectangle around a convex polygon, the longer first.

    One side of it lies on a side of the polygon (Freeman and Shapira, CACM 18, 1975).
    """
    edges = np.roll(hull, -1, axis=0) - hull
    angles = np.arctan2(edges[:, 1], edges[:, 0])
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    spans = [np.ptp(hull @ direction.T, axis=0) for direction in (along, across)]
    best = int(np.argmin(spans[0] * spans[1]))
    sides = sorted((float(spans[0][best]), float(spans[1][best])), reverse=True)
    return sides[0], sides[1]
