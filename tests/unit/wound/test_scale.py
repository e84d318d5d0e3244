"""Areas in cm² by a marker, by a given scale, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from bench.marker_scenes import MARKER_MM, scene
from resattn.io.marker import Marker, find_markers, homography, mapped, marker_cells
from resattn.wound.scale import from_marker, from_px_per_mm


@pytest.fixture(scope="module")
def scenes():
    return [scene(seed) for seed in range(4)]


def test_marker_scenes_give_the_true_area(scenes):
    """The bars are 2 % median and 8 % at the 95th percentile; bench/segment_wound.py runs 20."""
    errors, held = [], []
    for one in scenes:
        marker = find_markers(one.photo)[0]
        assert marker.aligned
        scale = from_marker(marker, MARKER_MM)
        errors.append(abs(scale.area_mm2(one.mask) / 100 / one.area_cm2 - 1))
        low, high = scale.area_interval_mm2(one.mask)
        held.append(low / 100 <= one.area_cm2 <= high / 100)
    assert np.median(errors) < 0.005
    assert max(errors) < 0.02
    assert sum(held) >= 3


def test_the_marker_is_no_wound(scenes):
    one = scenes[0]
    scale = from_marker(find_markers(one.photo)[0], MARKER_MM)
    covered = scale.reference_mask(one.mask.shape)
    sheet = (MARKER_MM * 8 / 6) ** 2
    assert scale.area_mm2(covered) == pytest.approx(sheet, rel=0.02)
    assert not (covered & one.mask).any()


def test_no_marker_is_no_marker():
    assert find_markers(np.full((3, 60, 80), 128, np.uint8)) == []


def test_a_homography_maps_its_points():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 100, (2, 4, 2))
    matrix = homography(source, target)
    np.testing.assert_allclose(mapped(matrix, source), target, rtol=1e-8)
    with pytest.raises(ValueError, match="do not span a plane"):
        homography(np.zeros((4, 2)), target)


def test_area_under_a_tilt_is_the_integral_of_the_mapping():
    """Against splitting every pixel into quadrilaterals and mapping their corners."""
    square = np.array([[10.0, 10], [50, 14], [46, 52], [8, 48]])
    scale = from_marker(Marker(0, square, aligned=True), 20.0)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:70] = True
    total = 0.0
    for row, col in np.argwhere(mask):
        corners = np.array([[col, row], [col + 1, row], [col + 1, row + 1], [col, row + 1]], float)
        x, y = scale.points_mm(corners).T
        total += abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert scale.area_mm2(mask) == pytest.approx(total, rel=1e-4)


def test_a_given_scale_squares():
    mask = np.ones((10, 20), bool)
    scale = from_px_per_mm(5.0)
    assert scale.area_mm2(mask) == pytest.approx(200 / 25)
    assert scale.area_interval_mm2(mask) == pytest.approx((8.0, 8.0))
    with pytest.raises(ValueError, match="must be positive, not 0"):
        from_px_per_mm(0)


def test_markers_can_be_printed():
    cells = marker_cells(7)
    assert cells.shape == (6, 6)
    assert not cells[[0, -1]].any()
    photo = np.kron(np.pad(cells, 2, constant_values=True), np.ones((20, 20)))
    found = find_markers(np.repeat((photo[None] * 255).astype(np.uint8), 3, axis=0))
    assert [marker.number for marker in found] == [7]
    expected = 20.0 * np.array([[2, 2], [8, 2], [8, 8], [2, 8]])
    np.testing.assert_allclose(found[0].corners, expected, atol=0.1)
    with pytest.raises(ValueError, match="0 to 49, not 50"):
        marker_cells(50)
