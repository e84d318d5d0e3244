"""From pixels to millimetres on the skin: by a marker, by a coin, or by a known scale.

Each is a `Scale`: a homography from the photograph to the plane the reference lies in, and how
uncertain it is. What is measured in that plane assumes that the wound lies in it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from skimage.draw import polygon2mask

from resattn.io.coin import Coin
from resattn.io.marker import CELLS, Marker, homography, mapped
from resattn.metrics.pair import Array, Mask

_CORNER_SIGMA: Final = 0.05
"""Standard error of an aligned corner in pixels, such that 90 % intervals cover (docs)."""
_LOOSE_CORNER_SIGMA: Final = 0.25
_DRAWS: Final = 64
_FOCAL: Final = (0.65, 1.1)
"""Focal lengths of phone cameras, of the longer side: 23 to 40 mm on 35 mm film."""
_COIN_ERROR: Final = 0.01
"""Standard error of a coin's scale: it is worn, and its rim lies above the skin."""


@dataclass(frozen=True)
class Scale:
    """How to measure in millimetres.

    Attributes:
        to_mm: Homography (3, 3) from pixels x, y to millimetres; (0, 0) is the corner of the
            first pixel.
        source: What it comes from, in words.
        reference: Outline (N, 2) of the marker or coin in pixels, which is no part of a wound.
        others: Equally plausible homographies, for the interval of an area.
        relative_error: Standard error of the scale itself, such as a coin's; 0 if in `others`.
    """

    to_mm: Array
    source: str
    reference: Array | None = None
    others: tuple[Array, ...] = ()
    relative_error: float = 0.0

    def points_mm(self, points: Array) -> Array:
        """Points (N, 2) as x, y in pixels, in millimetres."""
        return mapped(self.to_mm, points)

    def area_mm2(self, mask: Mask) -> float:
        """Area of a mask (H, W) on the plane."""
        return _area(self.to_mm, *_centres(mask))

    def area_interval_mm2(self, mask: Mask) -> tuple[float, float]:
        """Where 90 % of the plausible scales put the area of the mask."""
        centres = _centres(mask)
        areas = np.array([_area(matrix, *centres) for matrix in (self.to_mm, *self.others)])
        low, high = np.percentile(areas, (5, 95))
        spread = 2 * 1.645 * self.relative_error
        return float(low * (1 - spread)), float(high * (1 + spread))

    def reference_mask(self, shape: tuple[int, int]) -> Mask:
        """Pixels (H, W) that show the marker with its white rim, or the coin."""
        if self.reference is None:
            return np.zeros(shape, dtype=np.bool_)
        mask: Mask = polygon2mask(shape, self.reference[:, ::-1] - 0.5)  # type: ignore[no-untyped-call]  # skimage
        return mask


def from_px_per_mm(px_per_mm: float) -> Scale:
    """A photograph taken squarely at a known scale.

    Raises:
        ValueError: The scale is not positive.
    """
    if not px_per_mm > 0:
        raise ValueError(f"pixels per millimetre must be positive, not {px_per_mm}")
    return Scale(np.diag([1 / px_per_mm, 1 / px_per_mm, 1.0]), f"{px_per_mm:g} px/mm as given")


def from_marker(marker: Marker, side_mm: float) -> Scale:
    """The plane of a marker whose black square is `side_mm` wide.

    Raises:
        ValueError: The side is not positive.
    """
    if not side_mm > 0:
        raise ValueError(f"the side of a marker must be positive, not {side_mm}")
    square = side_mm * (np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5)
    to_mm = homography(marker.corners, square)
    rim = mapped(homography(square, marker.corners), square * (CELLS + 2) / CELLS)
    words = f"marker {marker.number}, {side_mm:g} mm"
    return Scale(to_mm, words, rim, tuple(_shaken(marker, square)))


def from_coin(coin: Coin, diameter_mm: float, shape: tuple[int, int]) -> Scale:
    """The plane of a coin `diameter_mm` wide, in a photograph of `shape` (H, W).

    Two planes show a circle as the same ellipse. The one the camera faces more squarely is taken;
    what either would make of an area is left to the interval.

    Raises:
        ValueError: The diameter is not positive.
    """
    if not diameter_mm > 0:
        raise ValueError(f"the diameter of a coin must be positive, not {diameter_mm}")
    rng = np.random.default_rng(0)  # a fixed sample: the same photograph gives the same interval
    others = []
    for focal in rng.uniform(*_FOCAL, _DRAWS // 2) * max(shape):
        axes = coin.axes + rng.normal(0, coin.sigma, 2)
        drawn = replace(coin, axes=(float(axes.max()), float(axes.min())))
        others += [_coin_plane(drawn, diameter_mm, s) for s in _slopes(drawn, focal, shape)]
    slopes = _slopes(coin, float(np.mean(_FOCAL)) * max(shape), shape)
    to_mm = _coin_plane(coin, diameter_mm, min(slopes, key=np.linalg.norm))
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    circle = 1.06 * diameter_mm / 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    rim = mapped(np.asarray(np.linalg.inv(to_mm), np.float64), circle)
    return Scale(to_mm, f"coin, {diameter_mm:g} mm", rim, tuple(others), _COIN_ERROR)


def _coin_plane(coin: Coin, diameter_mm: float, slope: Array) -> Array:
    """Pixels to millimetres from the coin's centre.

    The inverse depth of a plane is linear in the photograph: relative to that of the centre it
    changes by `slope` (2,) per pixel.
    """
    turn = _turn(coin) / np.array(coin.axes)[:, None] * diameter_mm / 2
    linear = np.vstack([turn, slope])
    return np.column_stack([linear, np.array([0.0, 0.0, 1.0]) - linear @ coin.centre])


def _slopes(coin: Coin, focal: float, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Relative change (2,) of inverse depth per pixel, on both planes that show a circle so.

    They cut the cone of rays through the ellipse in circles: their normals lie in the plane of
    the largest and the negative eigenvector (Hartley and Zisserman, 2004; principal point in the
    middle of the photograph).
    """
    height, width = shape
    place = (np.array(coin.centre) - (width / 2, height / 2)) / focal
    turn = _turn(coin) / (np.array(coin.axes)[:, None] / focal)
    matrix = turn.T @ turn
    corner = place @ matrix @ place - 1
    cone = np.block([[matrix, -(matrix @ place)[:, None]], [-(place @ matrix), np.array(corner)]])
    (low, middle, high), vectors = np.linalg.eigh(cone)
    along = np.sqrt((high - middle) / (high - low)) * vectors[:, 2]
    across = np.sqrt((middle - low) / (high - low)) * vectors[:, 0]
    first, second = (
        normal[:2] / focal / (normal[:2] @ place + normal[2])
        for normal in (across + along, across - along)
    )
    return first, second


def _turn(coin: Coin) -> Array:
    """Rotation (2, 2) from x, y to the long and the short axis."""
    cos, sin = np.cos(coin.angle), np.sin(coin.angle)
    return np.array([[cos, sin], [-sin, cos]])


def _shaken(marker: Marker, square: Array) -> Iterator[Array]:
    sigma = _CORNER_SIGMA if marker.aligned else _LOOSE_CORNER_SIGMA
    rng = np.random.default_rng(0)  # a fixed sample: the same photograph gives the same interval
    for _ in range(_DRAWS):
        yield homography(marker.corners + rng.normal(0, sigma, (4, 2)), square)


def _centres(mask: Mask) -> tuple[Array, Array]:
    rows, columns = np.nonzero(mask)
    return np.asarray(columns + 0.5, np.float64), np.asarray(rows + 0.5, np.float64)


def _area(to_mm: Array, x: Array, y: Array) -> float:
    """Sum over pixels of the area each covers on the plane.

    A homography H scales area at a point by |det H| / |w|³, with w its third coordinate there.
    """
    w = to_mm[2, 0] * x + to_mm[2, 1] * y + to_mm[2, 2]
    return float(abs(np.linalg.det(to_mm)) * np.sum(1 / np.abs(w) ** 3))
