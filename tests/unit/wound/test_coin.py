"""Coins: found or refused, and areas by them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from bench.marker_scenes import COIN_MM, scene
from resattn.io.coin import Coin, find_coins
from resattn.wound.scale import from_coin


def disc(centre, axes, degrees=0.0, size=(200, 260)):
    """A bright ellipse on grey, rendered at four times its size; centre as x, y from the corner."""
    big = np.full((size[0] * 4, size[1] * 4, 3), 120, np.uint8)
    middle = [round((4 * c - 0.5) * 16) for c in centre]
    reach = [round(4 * a * 16) for a in axes]
    cv2.ellipse(big, middle, reach, degrees, 0, 360, (190, 180, 150), -1, cv2.LINE_8, 4)
    return cv2.resize(big, size[::-1], interpolation=cv2.INTER_AREA).transpose(2, 0, 1).copy()


def test_an_ellipse_is_found_where_it_is():
    (coin,) = find_coins(disc((131.3, 94.6), (42.0, 37.5), 30))
    assert coin.centre == pytest.approx((131.3, 94.6), abs=0.15)
    assert coin.axes == pytest.approx((42.0, 37.5), abs=0.3)
    assert np.degrees(coin.angle) % 180 == pytest.approx(30, abs=2)


def test_an_inner_ring_is_no_coin_of_its_own():
    photo = disc((130, 100), (40, 40))
    inner = disc((130, 100), (26, 26))
    photo[:, inner[0] > 150] = np.array([90, 140, 200], np.uint8)[:, None]
    (coin,) = find_coins(photo)
    assert coin.axes == pytest.approx((40, 40), abs=0.3)


@pytest.mark.parametrize("kind", ["flat", "noise", "square", "strip"])
def test_what_is_not_round_is_no_coin(kind):
    photo = np.full((3, 160, 200), 128, np.uint8)
    if kind == "noise":
        photo = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    if kind == "square":
        photo[:, 40:120, 60:140] = 220
    if kind == "strip":
        photo = disc((130, 100), (60, 30))
    assert find_coins(photo) == []


def test_photographed_coins_are_several():
    """The Greek coins that come with scikit-image: worn, lit from one side, on a dark cloth."""
    photo = np.repeat(data.coins()[None, 200:, :], 3, axis=0)
    assert len(find_coins(np.ascontiguousarray(photo))) > 1


def test_a_synthetic_scene_gives_the_true_area():
    one = scene(2, coin=True)
    (coin,) = find_coins(one.photo)
    scale = from_coin(coin, COIN_MM, one.mask.shape)
    assert scale.area_mm2(one.mask) / 100 == pytest.approx(one.area_cm2, rel=0.05)
    low, high = scale.area_interval_mm2(one.mask)
    assert low / 100 <= one.area_cm2 <= high / 100
    covered = scale.reference_mask(one.mask.shape)
    assert scale.area_mm2(covered) == pytest.approx(np.pi * (1.06 * COIN_MM / 2) ** 2, rel=0.02)
    assert not (covered & one.mask).any()


@pytest.mark.parametrize("place", [(0.0, 0.0), (150.0, -90.0)])
def test_one_of_the_two_planes_of_an_ellipse_is_the_true_one(place):
    """A tilted circle through a pinhole, its ellipse fitted, the true slope known."""
    focal, shape = 900.0, (768, 1024)
    tilt = np.radians(20)
    across = np.array([np.cos(tilt), 0, np.sin(tilt)])
    distance = 60 * focal / 50
    middle = np.array([place[0] / focal, place[1] / focal, 1]) * distance
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)[:, None]
    points = middle + 60 * (np.cos(angles) * across + np.sin(angles) * np.array([0, 1, 0]))
    seen = focal * points[:, :2] / points[:, 2:] + (512, 384)
    (x, y), (width, height), degrees = cv2.fitEllipseDirect(seen.astype(np.float32))
    long, short = max(width, height) / 2, min(width, height) / 2
    angle = np.radians(degrees + (90 if height > width else 0))
    coin = Coin((x, y), (long, short), angle, 0.0)
    normal = np.cross(across, [0, 1, 0])
    true = normal[:2] / focal / (normal @ middle / distance)
    planes = np.array([matrix[2, :2] for matrix in from_coin(coin, 120, shape).others])
    # The focal length is drawn from a range around the true one.
    assert np.linalg.norm(planes - true, axis=1).min() < 0.1 * np.linalg.norm(true)


def test_a_diameter_must_be_positive():
    with pytest.raises(ValueError, match="must be positive, not 0"):
        from_coin(Coin((5, 5), (4, 4), 0, 0.1), 0, (10, 10))
