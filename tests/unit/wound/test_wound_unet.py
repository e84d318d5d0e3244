"""The network's promises: any size, gates by config from the core, no batch statistics."""

from __future__ import annotations

import pytest
import torch

from resattn.mixers.additive import AdditiveGate
from resattn.mixers.channel import ChannelConfig
from resattn.mixers.position import PositionConfig
from resattn.mixers.window import WindowConfig
from resattn.models.wound_guide import Guide
from resattn.models.wound_unet import WoundUNet, WoundUNetConfig
from resattn.registry import MIXERS
from resattn.residual import ResidualAttention

SMALL = {"encoder": "residual", "widths": (8, 8, 16, 16, 16), "decoder": (16, 16, 8, 8)}


def small(**changes):
    torch.manual_seed(0)
    return WoundUNet(WoundUNetConfig(**{**SMALL, **changes})).eval()


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (33, 64), (64, 32)])
@torch.no_grad()
def test_any_size_gives_a_logit_per_pixel(size):
    photo = torch.rand(2, 3, *size)
    logits = small()(photo)
    assert logits.shape == (2, 1, *size)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@torch.no_grad()
def test_what_is_padded_on_does_not_show():
    """Explicit replication of the last row and column is what the model does itself."""
    photo = torch.rand(1, 3, 40, 50)
    padded = torch.nn.functional.pad(photo, (0, 14, 0, 24), mode="replicate")
    model = small()
    assert torch.equal(model(photo), model(padded)[..., :40, :50])


def test_the_default_fits_the_budget():
    model = WoundUNet(WoundUNetConfig())
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters <= 5_000_000
    assert 2 * sum(t.numel() for t in model.state_dict().values()) <= 10 * 2**20  # as fp16


@pytest.mark.parametrize(
    ("block", "skip"), [("eca", None), ("cbam", "additive"), ("large-kernel", None), (None, None)]
)
def test_gates_come_from_the_core(block, skip):
    model = small(block=block, skip=skip)
    mixers = [m.mixer for m in model.modules() if isinstance(m, ResidualAttention)]
    expected = [MIXERS[block].mixer] * 4 if block else []
    assert [type(m) for m in mixers if not isinstance(m, AdditiveGate)] == expected
    assert sum(isinstance(m, AdditiveGate) for m in mixers) == (4 if skip else 0)


@pytest.mark.parametrize(
    "mixer", [WindowConfig(16, 4, window=(4, 4)), PositionConfig(16), ChannelConfig(16)]
)
@torch.no_grad()
def test_a_neck_starts_as_the_identity_and_then_acts(mixer):
    plain, mixed = small(), small(neck=(mixer,))
    mixed.load_state_dict(plain.state_dict(), strict=False)
    photo = torch.rand(1, 3, 64, 64)
    assert torch.equal(plain(photo), mixed(photo))
    mixed.neck[0].scale.gamma.fill_(1.0)
    assert not torch.allclose(plain(photo), mixed(photo))


@torch.no_grad()
def test_photos_of_a_batch_do_not_meet_even_in_training():
    model = small(block="cbam").train()
    photos = torch.rand(3, 3, 32, 64)
    alone = torch.cat([model(photo[None]) for photo in photos])
    torch.testing.assert_close(model(photos), alone, rtol=1e-4, atol=1e-5)


def test_the_guide_starts_as_the_identity_and_learns():
    plain, guided = small(), small(guided=True)
    guided.load_state_dict(plain.state_dict(), strict=False)
    photo = torch.rand(1, 3, 64, 96)
    assert torch.equal(plain(photo), guided(photo))
    assert float(plain.forward_deep(photo).guidance) == 0
    deep = guided.forward_deep(photo)
    (deep.logits[0].mean() + deep.guidance).backward()
    assert all(p.grad is not None for p in guided.guide.parameters())
    for codes in (guided.guide.first.encode, guided.guide.second.decode):
        assert float(codes[0].weight.grad.abs().max()) > 0
    with torch.no_grad():
        guided.guide.scale.fill_(1.0)
        assert not torch.allclose(plain(photo), guided(photo))


def test_guidance_vanishes_for_equal_codes_and_perfect_copies():
    """By its definition: 0.25 · mse(codes) + 0.1 · (mse(copy, x) + mse(copy', x'))."""
    guide = Guide(8)
    x = torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    once, code, copy = guide.first(x)
    again = guide.join(torch.cat([x, once * x], 1))
    _, code2, copy2 = guide.second(again)
    mse = [(a - b).square().mean() for a, b in ((code, code2), (copy, x), (copy2, again))]
    expected = 0.25 * mse[0] + 0.1 * (mse[1] + mse[2])
    torch.testing.assert_close(guide(x).loss, expected)


@torch.no_grad()
def test_deep_heads_cover_the_coarser_strides():
    shapes = [tuple(y.shape) for y in small().forward_deep(torch.rand(1, 3, 64, 96)).logits]
    assert shapes == [(1, 1, 64, 96), (1, 1, 16, 24), (1, 1, 8, 12), (1, 1, 4, 6)]


@torch.no_grad()
def test_memory_layout_changes_rounding_only():
    model, photo = small(), torch.rand(1, 3, 64, 64)
    plain = model(photo)
    last = model.to(memory_format=torch.channels_last)(
        photo.contiguous(memory_format=torch.channels_last)
    )
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


def test_the_config_survives_json_with_its_mixers():
    config = WoundUNetConfig(**SMALL, neck=(WindowConfig(16, 4, window=(4, 4)),), block="cbam")
    assert WoundUNetConfig.from_json(config.to_json()) == config


def test_refusals_say_what_is_known():
    with pytest.raises(ValueError, match="unknown mixer 'ecca'; did you mean 'eca'"):
        small(block="ecca")
    with pytest.raises(ValueError, match="skip must be 'additive' or None, not 'cbam'"):
        small(skip="cbam")
    with pytest.raises(ValueError, match="5 encoder and 4 decoder widths"):
        small(decoder=(8, 8))
