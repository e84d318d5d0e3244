from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.checks.probe import Probe, error
from resattn.ops.attend import attend, merge
from resattn.ops.gram import gram
from resattn.ops.statistics import sum_pixels
from resattn.ops.windows import over_regions, partition, reverse, spans


def qkv(n=19, m=23, batch=2, heads=3, d=4, e=5, dtype=torch.float64):
    probe = Probe(dtype=dtype)
    return (
        probe.randn(batch, heads, n, d),
        probe.randn(batch, heads, m, d),
        probe.randn(batch, heads, m, e),
    )


def by_hand(q, k, v, bias, scale):
    """The formula with loops over queries, in float64."""
    out = torch.zeros(*q.shape[:3], v.shape[-1], dtype=torch.float64)
    for i in range(q.shape[2]):
        logits = (k @ q[:, :, i, :, None])[..., 0] * scale + bias[:, :, i]
        weights = (logits - logits.amax(-1, keepdim=True)).exp()
        weights = weights / weights.sum(-1, keepdim=True)
        out[:, :, i] = (weights[..., None] * v).sum(2)
    return out


@pytest.mark.parametrize(
    "options",
    [{"impl": "reference"}, {"impl": "sdpa"}, {"impl": "tiled"}, {}]
    + [{"max_bytes": 2**n} for n in (3, 6, 9, 12, 15)],
)
def test_every_execution_gives_the_formula_and_its_gradients(options):
    q, k, v = (t.requires_grad_() for t in qkv())
    bias = Probe(seed=1).randn(1, 3, 19, 23)
    y, expected = attend(q, k, v, bias=bias, scale=0.7, **options), by_hand(q, k, v, bias, 0.7)
    assert error(y, expected) < 1e-13
    for got, wanted in zip(
        torch.autograd.grad(y.square().sum(), (q, k, v)),
        torch.autograd.grad(expected.square().sum(), (q, k, v)),
        strict=True,
    ):
        assert error(got, wanted) < 1e-12


@pytest.mark.parametrize("impl", ["reference", "sdpa", "tiled"])
def test_logits_of_ten_thousand_do_not_overflow(impl):
    q, k, v = qkv(dtype=torch.float16)
    y = attend(q * 100, k * 100, v, scale=1.0, impl=impl, max_bytes=2**9)
    hard = attend(q.double() * 100, k.double() * 100, v.double(), scale=1.0, impl="reference")
    assert y.isfinite().all()
    assert error(y, hard) < 0.05


def test_keys_of_minus_infinity_are_ignored_also_when_they_fill_a_block():
    q, k, v = qkv(m=24)
    bias = torch.zeros(24, dtype=torch.float64)
    bias[:12] = float("-inf")
    expected = attend(q, k[:, :, 12:], v[:, :, 12:], impl="reference")
    for options in ({"impl": "sdpa"}, {"max_bytes": 8 * 2 * 3 * 4}):
        assert error(attend(q, k, v, bias=bias[None], **options), expected) < 1e-13


def test_merging_is_exact_and_does_not_depend_on_order():
    logits, v = Probe().randn(3, 7, 30), Probe(seed=1).randn(3, 30, 4)
    full = logits.softmax(-1) @ v
    parts = [
        (logits[..., s].softmax(-1) @ v[:, s], logits[..., s].logsumexp(-1, keepdim=True))
        for s in (slice(0, 9), slice(9, 10), slice(10, 30))
    ]
    a, b, c = parts
    assert error(merge(merge(a, b), c)[0], full) < 1e-14
    assert error(merge(c, merge(b, a))[0], full) < 1e-14


def test_an_unknown_execution_is_refused():
    with pytest.raises(ValueError, match="'flash'"):
        attend(*qkv(), impl="flash")


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 8))
def test_spans_cover_a_side_once_with_whole_windows(size, window, shift):
    parts = spans(size, window, shift % window)
    covered = [i for part, _ in parts for i in range(part.start, part.stop)]
    assert covered == list(range(size))
    for part, length in parts:
        assert (part.stop - part.start) % length == 0
        assert 1 <= length <= window


def test_windows_keep_neighbours_together_and_come_back():
    x = Probe().randn(2, 6, 8, 3)
    windows = partition(x, (3, 4))
    assert torch.equal(windows[1].view(3, 4, 3), x[0, :3, 4:])
    assert torch.equal(reverse(windows, (3, 4), (6, 8)), x)
    assert torch.equal(over_regions(x, (4, 5), (1, 2), lambda t, _: (t,))[0], x)


def test_sums_and_products_over_pixels_are_exact_to_float64():
    x = Probe(dtype=torch.float32).randn(2, 3, 37, 45) + 1000
    assert error(sum_pixels(x), x.double().sum((2, 3))) < 1e-7
    q = x[:, None]
    exact = torch.einsum("bhixy,bhjxy->bhij", q.double(), q.double())
    assert error(gram(q, q), exact) < 1e-15
    assert error(gram(q.requires_grad_(), q).detach(), exact) < 1e-6
