"""Measures of shapes whose size is known, in pixels and in millimetres."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resattn.wound.measure import confidence, wounds
from resattn.wound.scale import from_px_per_mm


def ellipse(shape, row, col, half_length, half_width, angle):
    rows, cols = np.indices(shape) + 0.5
    u = (cols - col) * math.cos(angle) + (rows - row) * math.sin(angle)
    v = (rows - row) * math.cos(angle) - (cols - col) * math.sin(angle)
    return (u / half_length) ** 2 + (v / half_width) ** 2 <= 1


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2])
def test_an_ellipse_has_its_measures_at_any_angle(angle):
    mask = ellipse((120, 140), 60, 70, 50, 20, angle)
    (one,) = wounds(mask)
    assert one.px.area == pytest.approx(math.pi * 50 * 20, rel=0.01)
    assert one.px.length == pytest.approx(100, rel=0.03)
    assert one.px.width == pytest.approx(40, rel=0.03)
    assert one.px.feret == pytest.approx(100, rel=0.03)
    h = ((50 - 20) / 70) ** 2  # Ramanujan's perimeter
    perimeter = math.pi * 70 * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
    assert one.px.perimeter == pytest.approx(perimeter, rel=0.03)


def test_millimetres_follow_the_scale():
    mask = ellipse((80, 80), 40, 40, 30, 15, 0.3)
    (one,) = wounds(mask, from_px_per_mm(4.0))
    assert one.mm.area == pytest.approx(one.px.area / 16)
    for side in ("perimeter", "length", "width", "feret"):
        assert getattr(one.mm, side) == pytest.approx(getattr(one.px, side) / 4)


def test_wounds_are_counted_largest_first_and_holes_are_no_area():
    mask = np.zeros((60, 90), bool)
    mask[5:15, 5:15] = True
    mask[20:50, 30:70] = True
    mask[30:35, 40:45] = False
    large, small = wounds(mask)
    assert (large.box, small.box) == ((20, 30, 30, 40), (5, 5, 10, 10))
    assert large.px.area == 30 * 40 - 25
    assert wounds(np.zeros((5, 5), bool)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2)])
def test_the_smallest_regions_have_measures(shape):
    mask = np.zeros((9, 9), bool)
    mask[: shape[0], : shape[1]] = True
    (one,) = wounds(mask)
    assert one.px.area == shape[0] * shape[1]
    assert 0 < one.px.width <= one.px.length <= one.px.feret + 1e-9
    assert math.isfinite(one.px.perimeter)


def test_confidence_is_the_dice_a_calibrated_map_expects():
    """Labels drawn from the map agree with the mask as well as the confidence says."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((80, 80))
    probability = 1 / (1 + np.exp((np.hypot(rows - 40, cols - 40) - 20) / 2))
    mask = probability >= 0.5
    drawn = [rng.random(mask.shape) < probability for _ in range(30)]
    observed = np.mean([2 * (d & mask).sum() / (d.sum() + mask.sum()) for d in drawn])
    assert confidence(probability, mask) == pytest.approx(observed, abs=0.02)
    assert confidence(np.where(mask, 1.0, 0.0), mask) == 1.0
    assert confidence(np.full((4, 4), 0.2), np.zeros((4, 4), bool)) == pytest.approx(0.8)
