"""Synthetic photographs of a flat wound beside a marker or coin, whose true area is known.

A sheet with one 20 mm marker, or a coin with an inner ring and a relief, and one wound of 1-20 cm²
is seen by a pinhole camera at a tilt, rendered at 1024 x 768, blurred a little, given noise, and
stored as JPEG. The mask is the true one, so what is measured on it tests the geometry alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

Points = NDArray[np.float64]
Random = np.random.Generator

HEIGHT, WIDTH = 768, 1024
MARKER_MM = 20.0
COIN_MM = 23.25
_SUPERSAMPLING = 2
_PX_PER_MM = 12  # of the sheet's texture


@dataclass(frozen=True)
class Scene:
    """A photograph (3, H, W) uint8, the true mask (H, W), and the true area of the wound."""

    photo: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    area_cm2: float
    tilt: float


def scene(seed: int, max_tilt: float = 25.0, *, coin: bool = False) -> Scene:
    """One scene, with a marker or a coin; equal seeds give equal scenes."""
    rng = np.random.default_rng(seed)
    area = rng.uniform(1.0, 20.0)
    outline = _outline(rng, area)
    texture, shift = _sheet(rng, outline, coin=coin)
    tilt = rng.uniform(0.0, max_tilt)
    to_image = _camera(rng, tilt, outline)
    photo = _render(rng, texture, to_image, shift)
    mask = _mask(outline, to_image)
    return Scene(photo, mask, _shoelace(outline) / 100, tilt)


def _outline(rng: Random, area_cm2: float) -> Points:
    """A smooth closed curve in millimetres beside the marker, which is centred at the origin."""
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = np.ones_like(angle)
    for order in range(2, 6):
        radius += rng.normal(0, 0.25 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    points *= np.sqrt(100 * area_cm2 / abs(_shoelace(points)))
    side = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(side), np.sin(side)])
    return points + away * (18 + np.abs(points @ away).max())


def _shoelace(points: Points) -> float:
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _sheet(rng: Random, outline: Points, *, coin: bool) -> tuple[NDArray[np.float32], float]:
    """The sheet's texture and the shift from millimetres to its pixels."""
    side = 160 * _PX_PER_MM
    skin = np.array([rng.uniform(150, 220), rng.uniform(120, 170), rng.uniform(100, 150)])
    shade = cv2.resize(rng.normal(0, 12, (12, 12, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
    sheet = skin + shade
    shift = side / 2
    points = (outline * _PX_PER_MM + shift).round().astype(np.int32)
    wound = np.zeros((side, side), np.uint8)
    cv2.fillPoly(wound, [points], 1)
    sheet[wound > 0] = np.array([140, 40, 45]) + shade[wound > 0]
    (_put_coin if coin else _put_marker)(rng, sheet)
    return sheet.clip(0, 255).astype(np.float32), shift


def _put_marker(rng: Random, sheet: NDArray[np.float64]) -> None:
    """A printed marker on white paper in the middle of the sheet."""
    side = len(sheet)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    size = int(MARKER_MM * _PX_PER_MM)
    card = int(1.4 * size)
    low = (side - card) // 2
    sheet[low : low + card, low : low + card] = 235  # paper around the marker
    low = (side - size) // 2
    printed = cv2.aruco.generateImageMarker(dictionary, int(rng.integers(50)), size)
    sheet[low : low + size, low : low + size] = 25 + printed[..., None] * (210 / 255)


def _put_coin(rng: Random, sheet: NDArray[np.float64]) -> None:
    """A coin of two metals with a raised rim, a relief and a shadow in the middle of the sheet."""
    side, radius = len(sheet), COIN_MM / 2 * _PX_PER_MM
    rows, columns = np.mgrid[:side, :side] + 0.5 - side / 2
    away = np.hypot(rows, columns)
    shadow = np.clip(1.5 - np.hypot(rows - 6, columns - 8) / radius, 0, 0.5)
    sheet *= 1 - 0.6 * shadow[..., None]
    relief = cv2.resize(
        rng.normal(0, 40, (side // 10, side // 10)), (side, side), interpolation=cv2.INTER_CUBIC
    )
    outer, inner = np.array([[190, 160, 90], [175, 175, 170]])[rng.permutation(2)]
    metal = np.where((away < 0.7 * radius)[..., None], inner, outer) + relief[..., None]
    metal[away > 0.93 * radius] = outer + 30  # the rim is smooth and catches the light
    place = away < radius
    sheet[place] = metal[place]


def _camera(rng: Random, tilt: float, outline: Points) -> Points:
    """Homography from millimetres on the sheet to image pixels, marker and wound in view."""
    focal = rng.uniform(0.75, 1.1) * WIDTH
    centre = outline.mean(0) / 2
    reach = np.linalg.norm(outline - centre, axis=1).max()
    scale = min(rng.uniform(4.0, 6.5), 0.42 * HEIGHT / reach)  # pixels per mm at the centre
    turn = rng.uniform(0, 2 * np.pi)
    rotation = cv2.Rodrigues(np.array([np.cos(turn), np.sin(turn), 0]) * np.radians(tilt))[0]
    rotation = rotation @ cv2.Rodrigues(np.array([0, 0, rng.uniform(0, 2 * np.pi)]))[0]
    place = np.array([0, 0, focal / scale]) - rotation[:, :2] @ centre
    intrinsics = np.array([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]])
    return intrinsics @ np.column_stack([rotation[:, :2], place])


def _render(
    rng: Random, texture: NDArray[np.float32], to_image: Points, shift: float
) -> NDArray[np.uint8]:
    """The photograph (3, H, W) of the sheet."""
    to_mm = np.array([[1, 0, -shift], [0, 1, -shift], [0, 0, _PX_PER_MM]]) / _PX_PER_MM
    big = _SUPERSAMPLING
    # Pixel centres of the supersampled image and of the texture lie at integers for OpenCV.
    finer = np.array([[big, 0, (big - 1) / 2], [0, big, (big - 1) / 2], [0, 0, 1.0]])
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    texture_to_mm = to_mm @ np.linalg.inv(half)
    view = cv2.warpPerspective(
        texture,
        finer @ half @ to_image @ texture_to_mm,
        (WIDTH * big, HEIGHT * big),
        flags=cv2.INTER_LINEAR,
        borderValue=(180, 180, 185),
    )
    view = cv2.resize(view, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 0.9)) + rng.normal(0, 2.5, view.shape)
    quality = int(rng.integers(60, 96))
    _, data = cv2.imencode(
        ".jpg", view.clip(0, 255).astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1).copy()


def _mask(outline: Points, to_image: Points) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside the outline, (H, W)."""
    points = np.column_stack([outline, np.ones(len(outline))]) @ to_image.T
    points = points[:, :2] / points[:, 2:] - 0.5  # pixel (0, 0) has its centre at (0.5, 0.5)
    return polygon2mask((HEIGHT, WIDTH), points[:, ::-1])
