from __future__ import annotations

import pytest
import torch

from resattn.benchmark.bars import Bar, gain
from resattn.benchmark.machine import Limits, cases, inference, rows
from resattn.benchmark.measure import peak_bytes, seconds
from resattn.ops.attend import attend
from resattn.registry import MIXERS, build

CPU = torch.device("cpu")
CASES = cases(32)


def test_every_mixer_is_measured():
    named = cases(64)
    assert {config.kind for config in named.values()} == set(MIXERS)
    assert all(config.dim == 64 for config in named.values())
    assert list(cases(32, ["eca"])) == ["eca"]
    with pytest.raises(ValueError, match="unknown mixer 'ecb'"):
        cases(32, ["ecb"])


@pytest.mark.parametrize("size", [48])
@pytest.mark.parametrize("name", CASES)
def test_declared_memory_is_within_a_fifth_of_the_measured(name, size):
    mixer = build(CASES[name])
    peak = peak_bytes(inference(mixer, torch.randn(1, 32, size, size)), CPU)
    assert mixer.extra_bytes(size, size) / peak == pytest.approx(1, abs=0.2)


def test_shares_are_rates_over_limits():
    row = next(iter(rows(cases(16, ["eca"]), [32], CPU, Limits(gemm=1e9, copy=1e6), 0.01)))
    assert row.name == "conv 3x3"
    assert row.flops == 2 * 9 * 16 * 16 * 32 * 32
    assert row.gemm_share == pytest.approx(row.flops / row.seconds / 1e9)
    assert row.copy_share == pytest.approx(2 * 4 * 16 * 32 * 32 / row.seconds / 1e6)


def test_peak_is_what_is_alive_at_once_not_what_was_ever_allocated():
    def call():
        for _ in range(3):
            torch.ones(1000, 1000)
        return torch.ones(500, 1000)

    assert peak_bytes(call, CPU) == pytest.approx(4e6, rel=0.01)


@pytest.mark.parametrize("max_bytes", [2**16, 2**18, 2**20])
def test_bounded_attention_keeps_its_bound(max_bytes):
    """Beyond the output, which is held in blocks until it is joined."""
    q = torch.randn(1, 4, 1024, 16)
    with torch.no_grad():
        peak = peak_bytes(lambda: attend(q, q, q, max_bytes=max_bytes), CPU)
    assert peak - 2 * q.nbytes <= 1.1 * max_bytes + 2**14


def test_time_is_that_of_one_call():
    x = torch.randn(256, 256)
    assert 0 < seconds(lambda: x @ x, CPU, budget=0.01) < 0.1


def test_bars_know_when_they_are_met():
    assert Bar("b", 0.5, low=0.45).met
    assert not Bar("b", 0.5, high=0.2).met


@pytest.mark.parametrize(
    ("policy", "low", "high"),
    [("depth:linear", 0.95, 1.1), ("depth:sqrt", 1.5, 1.8), ("plain", 1e9, 1e11)],
)
def test_gain_after_64_blocks(policy, low, high):
    assert low < gain(policy) < high
