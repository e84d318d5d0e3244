"""The harness itself: BD-rates are those of curves whose difference is known."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("bjontegaard", reason="the harness compares curves by it")
from bench.compress import BARS, SIZES, bd_rate

ANCHOR = [(0.1, 28.0), (0.2, 30.0), (0.4, 32.5), (0.8, 35.2), (1.6, 38.4)]


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25])
def test_a_curve_of_scaled_rates_has_that_rate(factor):
    ours = [(rate * factor, quality) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, ours) == pytest.approx(100 * (factor - 1), abs=0.5)


def test_what_cannot_be_compared_is_no_number():
    assert math.isnan(bd_rate(ANCHOR, ANCHOR[:3]))
    assert math.isnan(bd_rate(ANCHOR, [(rate, quality + 30) for rate, quality in ANCHOR]))
    assert math.isnan(bd_rate(ANCHOR, [(rate * 100, quality) for rate, quality in ANCHOR]))


@pytest.mark.parametrize("size", SIZES)
def test_every_bar_has_a_name_of_its_own(size):
    bars = (*SIZES[size], *BARS)
    assert len({bar.name for bar in bars}) == len(bars)
