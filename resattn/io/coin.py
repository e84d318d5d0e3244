"""Coins in photographs: the ellipse of the rim, to a fraction of a pixel.

A coin has edges everywhere: relief, inner rings, its own shadow. So the rim is not followed. From
each centre that a Hough transform proposes, rays are cast, and what counts is the outermost curve
that nearly all rays cross at an edge and that is an ellipse almost exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from resattn.io.image import opencv

Points = NDArray[np.float64]

_SIDE: Final = 1024  # coins are looked for in photographs reduced to this longer side
_LEAST_RADIUS: Final = 12
_MOST_CENTRES: Final = 40
_RAYS: Final = 96
_SUPPORT: Final = 0.85  # least share of the rays that cross the rim at an edge
_LOOSE: Final = 0.005  # largest rms distance of those edges from the ellipse, of its radius
_FLATTEST: Final = 0.8  # least ratio of the axes: a tilt of 37 degrees
_CONTRAST: Final = 2.0  # of the rim's edge to the typical edge around it


@dataclass(frozen=True)
class Coin:
    """The rim of a coin in a photograph.

    Attributes:
        centre: x, y in pixels; the centre of the first pixel is at (0.5, 0.5).
        axes: Semi-axes in pixels, the longer first.
        angle: Direction of the longer axis from x towards y, in radians.
        sigma: Standard error of a semi-axis in pixels.
    """

    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float
    sigma: float


def find_coins(photo: NDArray[np.uint8]) -> list[Coin]:
    """Every coin-like ellipse of a photograph (3, H, W), largest first; tilts up to 37 degrees.

    Anything round with a crisp rim passes for a coin.

    Raises:
        UserError: E202 if OpenCV cannot be loaded.
    """
    cv2 = opencv()
    shrink = min(1.0, _SIDE / max(photo.shape[1:]))
    size = [max(1, round(n * shrink)) for n in photo.shape[:0:-1]]
    small = cv2.resize(photo.transpose(1, 2, 0), size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 1.2)
    found: list[Coin] = []
    for x, y, radius in _centres(cv2, soft):
        coin = _rim(cv2, soft, (x, y), radius)
        if coin is not None:
            found.append(coin)
    found.sort(key=lambda coin: -coin.axes[0])
    distinct: list[Coin] = []
    for coin in found:  # inner rings and second sightings lie inside a coin that is kept
        if all(np.hypot(*np.subtract(coin.centre, c.centre)) > c.axes[0] for c in distinct):
            distinct.append(coin)
    return [_enlarged(coin, 1 / shrink) for coin in distinct]


def _centres(cv2: ModuleType, soft: NDArray[np.uint8]) -> list[list[float]]:
    """Proposals x, y, radius; OpenCV's coordinates count from the centre of the first pixel."""
    grey = cv2.cvtColor(soft, cv2.COLOR_RGB2GRAY)
    circles = cv2.HoughCircles(
        grey, cv2.HOUGH_GRADIENT, dp=2, minDist=2 * _LEAST_RADIUS, param1=60, param2=30,
        minRadius=_LEAST_RADIUS, maxRadius=max(grey.shape) // 4,
    )  # fmt: skip
    if circles is None:
        return []
    proposals: list[list[float]] = circles[0, :_MOST_CENTRES].astype(np.float64).tolist()
    return proposals


def _rim(
    cv2: ModuleType, soft: NDArray[np.uint8], centre: tuple[float, float], radius: float
) -> Coin | None:
    """The outermost ellipse around a centre that the edges along its rays agree on."""
    angles = 2 * np.pi * np.arange(_RAYS) / _RAYS
    steps = np.arange(0.5 * radius, 1.6 * radius, 0.5)
    x = centre[0] + steps * np.cos(angles)[:, None]
    y = centre[1] + steps * np.sin(angles)[:, None]
    along = [
        ndimage.map_coordinates(soft[..., band].astype(np.float32), (y, x), order=1, mode="nearest")
        for band in range(3)
    ]
    strength = np.abs(np.gradient(np.array(along), axis=2)).sum(0)  # (rays, steps)
    edge = (strength >= np.roll(strength, 1, 1)) & (strength > np.roll(strength, -1, 1))
    edge &= strength > _CONTRAST * np.median(strength)
    waves = np.stack(
        [np.ones(_RAYS), *(f(k * angles) for k in (1, 2) for f in (np.cos, np.sin))], 1
    )
    for start in np.arange(1.3, 0.7, -0.06) * radius:
        picked = _agreed(edge, strength, steps, waves, start)
        if picked is None:
            continue
        rays, reach = picked
        points = np.stack(
            [centre[0] + reach * np.cos(angles[rays]), centre[1] + reach * np.sin(angles[rays])], 1
        )
        coin = _ellipse(cv2, points)
        if coin is not None:
            return coin
    return None


def _agreed(
    edge: NDArray[np.bool_], strength: Points, steps: Points, waves: Points, start: float
) -> tuple[NDArray[np.int64], Points] | None:
    """Rays that cross a smooth closed curve near the radius `start` at an edge, and where.

    The curve is radius + two waves: an ellipse of small eccentricity around a nearby point.
    """
    curve = np.full(len(waves), start)
    for tolerance, least in ((0.16, 0.6), (0.08, 0.6), (0.04, 0.7), (0.03, _SUPPORT)):
        weight = edge * strength * (np.abs(steps - curve[:, None]) < tolerance * start)
        at = weight.argmax(1)
        rays = np.flatnonzero(weight[np.arange(len(at)), at] > 0)
        if len(rays) < least * len(waves):
            return None
        reach = _subpixel(strength[rays], at[rays], steps)
        curve = waves @ _steadfast(waves[rays], reach)
    return rays, reach


def _steadfast(waves: Points, reach: Points) -> Points:
    """Coefficients of least absolute error: edges of the relief do not bend the curve."""
    weight = np.ones(len(reach))
    for _ in range(5):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(waves * root[:, None], reach * root, rcond=None)[0]
        weight = 1 / np.maximum(np.abs(waves @ coefficients - reach), 0.3)
    return np.asarray(coefficients)


def _subpixel(strength: Points, at: NDArray[np.int64], steps: Points) -> Points:
    """Where the parabola through a peak and its neighbours is highest."""
    row = np.arange(len(at))
    inner = np.clip(at, 1, len(steps) - 2)
    before, peak, after = (strength[row, inner + k] for k in (-1, 0, 1))
    curvature = np.minimum(before - 2 * peak + after, -1e-6)
    offset = np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)
    return np.asarray(steps[inner] + offset * (steps[1] - steps[0]), dtype=np.float64)


def _ellipse(cv2: ModuleType, points: Points) -> Coin | None:
    """The ellipse through points (N, 2), if they lie on one as the rim of a coin does."""
    for _ in range(2):  # once more without what lies off: a shadow, a finger
        (x, y), (width, height), degrees = cv2.fitEllipseDirect(points.astype(np.float32))
        turn = np.radians(degrees)
        to_axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        unit = (points - (x, y)) @ to_axes.T / (np.array([width, height]) / 2)
        radius = np.sqrt(width * height) / 2
        distance = radius * (np.linalg.norm(unit, axis=1) - 1)
        near = np.abs(distance) <= max(1.0, 0.03 * radius)
        if near.sum() < _SUPPORT * _RAYS:
            return None
        points, distance = points[near], distance[near]
    spread = float(np.sqrt(np.mean(distance**2)))
    long, short = max(width, height) / 2, min(width, height) / 2
    if short < max(_FLATTEST * long, _LEAST_RADIUS) or spread > max(0.4, _LOOSE * radius):
        return None
    angle = turn if width >= height else turn + np.pi / 2
    # Neighbouring rays err alike; a quarter of them is taken for independent.
    sigma = spread / np.sqrt(len(points) / 4)
    return Coin((float(x), float(y)), (float(long), float(short)), float(angle), float(sigma))


def _enlarged(coin: Coin, factor: float) -> Coin:
    """The coin in pixels of the photograph, counted from the corner of the first."""
    x, y = ((value + 0.5) * factor for value in coin.centre)
    long, short = (value * factor for value in coin.axes)
    return Coin((x, y), (long, short), coin.angle, coin.sigma * factor)
