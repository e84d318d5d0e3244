"""Bootstrap intervals against scipy's, against the truth, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from resattn.metrics.interval import mean_interval


@pytest.mark.parametrize("count", [5, 30, 300])
def test_equals_the_bca_interval_of_scipy(count):
    values = np.random.default_rng(count).lognormal(0, 1, count)
    ours = mean_interval(values)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", random_state=np.random.default_rng(1)
    ).confidence_interval
    spread = theirs.high - theirs.low
    # 2000 resamples place an end to a few percent of the width
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * spread)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * spread)


def test_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        found = mean_interval(generator.exponential(1.0, 40))
        hits += found.low <= 1.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_many_values_take_the_normal_interval():
    values = np.random.default_rng(0).normal(3, 1, 5000)
    found = mean_interval(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(5000), rel=0.05)


def test_is_the_same_each_time_and_knows_what_it_left_out():
    values = [3.0, 1.0, math.nan, 2.0, math.inf]
    assert mean_interval(values) == mean_interval(values)
    assert (mean_interval(values).mean, mean_interval(values).count) == (2.0, 3)


def test_one_value_has_no_interval_and_none_no_mean():
    assert math.isnan(mean_interval([4.0]).low)
    assert mean_interval([4.0]).mean == 4.0
    assert math.isnan(mean_interval([]).mean)
