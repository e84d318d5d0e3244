"""Masks from probabilities, and intervals that cover what they promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from resattn.metrics.overlap import dice
from resattn.models.wound_unet import Decision
from resattn.wound.decide import area_masks, calibrate, decide


def bump(side, radius, row=None, height=1.0):
    rows, cols = np.indices((side, side))
    centre = side / 2
    distance = np.hypot(rows - (centre if row is None else row), cols - centre)
    return height / (1 + np.exp((distance - radius) / 2))


def test_small_and_doubtful_regions_are_dropped_and_holes_filled():
    probability = bump(200, 30)
    probability[98:103, 98:103] = 0.1
    probability[5, 5] = 0.9  # a speck
    probability[180:190, 10:20] = 0.6  # large, but never certain
    plain = decide(probability, Decision(least_area=0.0))
    assert plain[5, 5]
    assert plain[185, 15]
    assert plain[100, 100]
    strict = decide(probability, Decision(least_area=1e-4, least_peak=0.8))
    assert not strict[5, 5]
    assert not strict[185, 15]
    assert strict[100, 100]
    assert not decide(np.full((20, 30), 0.4), Decision()).any()


def test_a_region_that_is_sure_in_one_place_only_is_dropped_by_its_mean():
    probability = bump(200, 20)
    probability[150:190, 150:190] = 0.5
    probability[170, 170] = 0.97
    decision = Decision(threshold=0.45, least_peak=0.9, least_mean=0.7)
    assert decide(probability, decision)[100, 100]
    assert not decide(probability, decision)[170, 170]
    assert decide(probability, Decision(threshold=0.45, least_peak=0.9))[170, 170]


def test_the_interval_moves_outlines_and_no_decision():
    """At a higher threshold the doubtful region is sure, at a lower one the wound is not."""
    probability = np.maximum(bump(200, 20), 0.02)
    probability[150:190, 150:190] = 0.5
    probability[165:175, 165:175] = 0.97
    decision = Decision(threshold=0.45, least_mean=0.7, offset=3.6)
    wound = decide(probability, decision)
    small, large = area_masks(probability, decision)
    assert not small[170, 170]
    assert (small <= wound).all()
    assert (wound <= large).all()
    assert 0 < small.sum() < wound.sum() < large.sum()


def test_calibration_compares_by_the_dice_of_the_masks():
    rng = np.random.default_rng(2)
    maps = [ndimage.gaussian_filter(rng.random((50, 60)), 3) * 4 - 1.5 for _ in range(6)]
    maps = [np.clip(p, 0, 1) for p in maps]
    masks = [np.roll(p, 2, 0) > 0.6 for p in maps]
    decision = calibrate(maps, masks)

    def score(other):
        return np.mean([dice(decide(p, other), m) for p, m in zip(maps, masks, strict=True)])

    for change in ({"threshold": 0.3}, {"threshold": 0.8}, {"least_peak": 0.95}):
        assert score(decision) >= score(replace(decision, **change)) - 0.02


def test_holes_are_filled_as_scipy_fills_them():
    rng = np.random.default_rng(1)
    for _ in range(20):
        probability = ndimage.gaussian_filter(rng.random((40, 50)), 2)
        decision = Decision(threshold=0.5, least_area=0.0)
        expected = ndimage.binary_fill_holes(probability >= 0.5)
        np.testing.assert_array_equal(decide(probability, decision), expected)


def test_the_interval_is_nested_and_grows_with_the_offset():
    probability = bump(200, 30)
    sizes = []
    for offset in (0.0, 1.0, 3.0):
        small, large = area_masks(probability, Decision(offset=offset))
        assert (small <= large).all()
        sizes.append(large.sum() - small.sum())
    assert sizes[0] == 0
    assert sizes == sorted(sizes)


def test_calibration_finds_threshold_and_offset_on_one_set_that_hold_on_another():
    """A network whose probabilities are too low, and whose outlines are off by some pixels."""
    rng = np.random.default_rng(4)

    def photographs(count):
        radii = rng.uniform(8, 24, count)
        found = radii + rng.normal(0, 1, count)
        maps = [0.6 * bump(64, radius) for radius in found]
        return maps, [bump(64, radius) >= 0.5 for radius in radii]

    decision = calibrate(*photographs(40))
    assert decision.threshold == pytest.approx(0.3)
    maps, masks = photographs(100)
    held = []
    for probability, mask in zip(maps, masks, strict=True):
        small, large = area_masks(probability, decision)
        held.append(small.sum() <= mask.sum() <= large.sum())
    assert 0.82 <= np.mean(held) <= 0.98


def test_calibration_learns_to_leave_photographs_without_a_wound_empty():
    wounds = [bump(60, 12) for _ in range(4)]
    alarms = [bump(60, 6, height=0.7) for _ in range(4)]
    masks = [p >= 0.5 for p in wounds] + [np.zeros((60, 60), bool)] * 4
    decision = calibrate(wounds + alarms, masks)
    assert not decide(alarms[0], decision).any()
    assert decide(wounds[0], decision).any()


def test_a_rule_for_regions_may_be_kept():
    wounds = [bump(60, 12, height=0.8) for _ in range(4)]
    masks = [p >= 0.5 for p in wounds]
    rule = Decision(least_peak=0.9, least_mean=0.3)
    assert calibrate(wounds, masks).least_peak < 0.8
    kept = calibrate(wounds, masks, rule=rule)
    assert (kept.least_peak, kept.least_mean) == (0.9, 0.3)


def test_impossible_thresholds_are_refused():
    with pytest.raises(ValueError, match=r"threshold 1\.0"):
        Decision(threshold=1.0)
    with pytest.raises(ValueError, match=r"least_mean 1\.5"):
        Decision(least_mean=1.5)
