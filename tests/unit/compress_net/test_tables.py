"""Tables are whole counts that the coder can use as they are."""

from __future__ import annotations

import math

import pytest
import torch

from resattn.models.compress_tables import (
    Q_PEAK,
    TOTAL,
    dead_zones,
    index_of,
    laplace_counts,
    laplace_mass,
    learned,
    scales,
)


def test_rows_leave_one_count_for_each_symbol(net):
    for counts in (net.q_counts, net.z_counts):
        assert counts.dtype == torch.int64
        assert counts.min() >= 0
        assert (counts.sum(1) == TOTAL - counts.shape[1]).all()
        assert counts.shape[1] % 2 == 1


def laplace_cdf(x, deviation):
    share = math.exp(-abs(x) * math.sqrt(2) / deviation) / 2
    return share if x < 0 else 1 - share


def test_q_counts_are_those_of_the_laplace_distribution():
    counts = laplace_counts()
    for row in (0, 20, 45):
        deviation = float(scales(torch.tensor(float(row))))
        for q in (-3, 0, 1):
            mass = laplace_cdf(q + 0.5, deviation) - laplace_cdf(q - 0.5, deviation)
            expected = mass * (TOTAL - 511)
            assert int(counts[row, q + Q_PEAK]) == pytest.approx(expected, abs=300, rel=1e-4)
    assert torch.equal(counts, counts.flip(1))


def test_noise_is_charged_between_the_whole_numbers():
    """Training counts bits of values that are no integers: integrated, they make a whole."""
    values = torch.arange(-400, 400, 0.25).double() + 0.125
    for row in (0.0, 10.5, 30.0):
        mass = laplace_mass(values, torch.tensor(row, dtype=torch.float64))
        assert float(mass.sum() * 0.25) == pytest.approx(1, abs=1e-3)


def test_scales_run_from_finest_to_widest():
    index = torch.arange(64.0)
    assert scales(index)[0] == pytest.approx(0.09)
    assert scales(index)[-1] == pytest.approx(64, rel=1e-4)
    torch.testing.assert_close(index_of(scales(index)), index, atol=1e-3, rtol=0)


def test_tables_learn_what_occurs_and_keep_what_they_have_not_seen():
    before = laplace_counts()
    seen = torch.zeros_like(before)
    seen[20, Q_PEAK] = 500_000
    seen[20, Q_PEAK + 9] = 500_000
    after = learned(before, seen)
    assert (after.sum(1) == TOTAL - after.shape[1]).all()
    assert torch.equal(after[21:], before[21:])
    share = after[20] / after[20].sum()
    assert share[Q_PEAK + 9] == pytest.approx(0.5, abs=0.01)
    assert 0 < share[Q_PEAK + 1] < 0.003


def test_z_counts_follow_location_and_scale(net):
    values = torch.arange(-63.0, 64)
    means = (net.z_counts * values).sum(1) / net.z_counts.sum(1)
    torch.testing.assert_close(means.float(), net.z_location.detach(), atol=0.05, rtol=0)
    spread = ((net.z_counts * values**2).sum(1) / net.z_counts.sum(1) - means**2).sqrt()
    # A logistic of scale 1 rounded to whole numbers: variance pi²/3 + 1/12.
    torch.testing.assert_close(
        spread, torch.full_like(spread, math.sqrt(math.pi**2 / 3 + 1 / 12)), rtol=0.02, atol=0
    )


def test_a_rare_one_has_to_be_large():
    """The wider the distribution, the nearer the threshold is to that of rounding."""
    found = dead_zones()
    assert found.shape == (64,)
    assert bool((found[:-1] >= found[1:]).all())
    assert float(found[0]) > 0.6
    assert float(found[-1]) == pytest.approx(0.5, abs=1e-3)
    # By hand at index 20: the chances of 0 and of 1 under the Laplace distribution.
    root = 2**0.5 / float(scales(torch.tensor(20.0)))
    zero = 1 - math.exp(-root / 2)
    one = (math.exp(-root / 2) - math.exp(-1.5 * root)) / 2
    worth = 0.3 * math.log2(zero / one) * math.log(2) / 12
    assert float(found[20]) == pytest.approx(0.5 + worth, abs=1e-4)
