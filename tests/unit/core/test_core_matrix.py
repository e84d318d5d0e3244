"""The contract of docs/core.md, for every mixer in the registry."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
import torch
from core_cases import EXAMPLES, SIZES, case, mapped, shuffled, tensors

from resattn.checks.probe import Probe, error
from resattn.mixers.base import GlobalMixer, MixerConfig
from resattn.registry import build

pytestmark = pytest.mark.parametrize("example", EXAMPLES)


@pytest.mark.parametrize("size", SIZES)
def test_any_size_keeps_its_shape_and_stays_finite(example, size):
    mixer, x, context = case(example, *size)
    y = mixer(x, context)
    assert y.shape == x.shape
    assert y.isfinite().all()


def test_images_of_a_batch_do_not_mix(example):
    mixer, x, context = case(example, 7, 13, batch=3)
    alone = torch.cat(
        [mixer(x[i : i + 1], mapped(context, lambda t, i=i: t[i : i + 1])) for i in range(3)]
    )
    assert error(mixer(x, context), alone) < 1e-12


def test_channels_last_equals_contiguous(example):
    mixer, x, context = case(example, 8, 12)
    strided = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert error(mixer(strided, context), mixer(x, context)) < 1e-12


def test_config_round_trips_through_json(example):
    config = EXAMPLES[example]
    assert MixerConfig.from_dict(json.loads(config.to_json())) == config
    assert build(json.loads(config.to_json())).config == config


def test_state_dict_moves_to_a_fresh_mixer_and_holds_learned_tensors_only(example):
    mixer, x, context = case(example, 5, 6)
    fresh = build(mixer.config).double()
    fresh.load_state_dict(mixer.state_dict(), strict=True)
    assert torch.equal(fresh(x, context), mixer(x, context))
    assert set(mixer.state_dict()) == {name for name, _ in mixer.named_parameters()}


def test_gradients_are_those_of_finite_differences(example):
    mixer, x, context = case(example, 3, 4, batch=1)
    leaves = [t.requires_grad_() for t in (x, *tensors(context))]
    torch.autograd.gradcheck(lambda *_: mixer(x, context), leaves, fast_mode=True, atol=1e-6)


def test_every_parameter_learns(example):
    mixer, x, context = case(example, 9, 10)
    mixer(x.requires_grad_(), context).square().sum().backward()
    for name, parameter in mixer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1.0, 100.0])  # 100: logits of ten thousand and more
def test_autocast_is_close_and_never_nan(example, dtype, scale):
    mixer, x, context = case(example, 8, 9, dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        y = mixer(x * scale, context)
    assert y.isfinite().all()
    if scale == 1.0:
        assert error(y, mixer(x, context)) < 2e-2


def test_gradients_under_autocast_in_channels_last_are_close(example):
    """Trainings run so; a kernel for it that is wrong shows in no forward pass."""

    def gradients(enabled):
        mixer, x, context = case(example, 24, 32, dtype=torch.float32)
        if mixer.layout == "NCHW":
            x = x.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            y = mixer.to(memory_format=torch.channels_last)(x.requires_grad_(), context)
        y.float().square().mean().backward()
        return {name: p.grad for name, p in mixer.named_parameters()}

    exact = gradients(enabled=False)
    least = 0.02 * max((g.norm() for g in exact.values()), default=0)
    for name, found in gradients(enabled=True).items():
        assert (found - exact[name]).norm() < 0.1 * exact[name].norm() + least, name


def test_pixel_permutation_is_an_equivariance_exactly_where_declared(example):
    mixer, x, context = case(example, 4, 6)
    order = Probe(seed=7).randperm(24)
    permuted = mixer(shuffled(mixer, x, order), shuffled(mixer, context, order))
    equivariant = error(permuted, shuffled(mixer, mixer(x, context), order)) < 1e-12
    assert equivariant == mixer.pixel_equivariant


def test_a_missing_context_is_refused(example):
    mixer, x, _ = case(example, 5, 6)
    if not mixer.takes_context:
        pytest.skip("takes no context")
    with pytest.raises(ValueError, match="context must be"):
        mixer(x, None)


def test_statistics_of_parts_are_those_of_the_whole(example):
    mixer, x, context = case(example, 32, 40)
    if not isinstance(mixer, GlobalMixer):
        pytest.skip("measures nothing")
    whole = mixer.measure(x, context)
    parts = [
        mixer.measure(x, context, (slice(r, r + 16), slice(c, min(c + 16, 40))))
        for r in (0, 16)
        for c in (0, 16, 32)
    ]
    merged = whole.merged(reversed(parts))
    assert merged.count == whole.count
    for a, b in zip(merged.sums + merged.maxima, whole.sums + whole.maxima, strict=True):
        assert error(a, b) < 1e-14
    assert error(mixer(x, context, statistics=merged), mixer(x, context)) < 1e-14


def test_nothing_is_made_on_another_device_than_the_image(example, monkeypatch):
    """On "meta", which holds shapes only, mixing devices or reading a value back fails."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # unknown to meta
    mixer, x, context = case(example, 9, 12, dtype=torch.float32)
    mixer, x, context = mixer.to("meta"), x.to("meta"), mapped(context, lambda t: t.to("meta"))
    for impl in ("reference", "sdpa", "tiled"):
        mixer.impl = impl
        y = mixer(x.requires_grad_(), context)
        assert (y.device.type, y.shape) == ("meta", x.shape)
        y.sum().backward()
    if isinstance(mixer, GlobalMixer):
        with torch.no_grad():
            assert {t.device.type for t in mixer.measure(x, context).sums} == {"meta"}
