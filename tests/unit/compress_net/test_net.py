"""What the codec builds on: integers that decode, wherever and however they are computed."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from net_cases import SMALL

from resattn.models.compress import (
    BASE,
    STRIDE,
    CompressConfig,
    CompressNet,
    Latents,
)
from resattn.models.compress_context import ContextConfig
from resattn.models.compress_levels import LEVELS, quantiser_steps, trade_off
from resattn.models.compress_tables import Q_PEAK
from resattn.models.compress_transforms import TransformConfig


def size(config):
    return sum(p.numel() for p in CompressNet(config).parameters())


def test_sizes_keep_their_limits():
    assert size(CompressConfig()) <= 4_000_000
    assert size(BASE) <= 15_000_000


def test_integers_of_an_image(net, image):
    latents = net.analyse(image, 40)
    assert latents.z.dtype == latents.q.dtype == torch.int64
    assert latents.z.shape == (2, SMALL.z_dim, 1, 2)
    assert latents.q.shape == (2, SMALL.dim, 4, 8)
    assert latents.z.unique().numel() > 5
    assert latents.q.abs().max() > 1


def test_what_is_not_coded_is_zero(net, image):
    latents = net.analyse(image, 0)
    index = net.scale_index(latents.z, 0)
    skipped = index < net.skip
    assert skipped.any()
    assert not latents.q[skipped].any()


def test_the_decoder_sees_the_encoders_latents(net, image):
    """`relaxed` rounds like the encoder and reconstructs like the decoder."""
    for level in (0, 37, 63):
        decoded = net.synthesise(net.analyse(image, level), level)
        levels = torch.full((2,), level)
        with torch.no_grad():
            relaxed = net.relaxed(image, levels, None)
        torch.testing.assert_close(relaxed.image.clamp(0, 1), decoded, atol=1e-4, rtol=0)


def test_decoding_is_causal(net, image):
    """A residual of the second colour of a later slice changes nothing decoded before it."""
    latents = net.analyse(image, 40)
    seen = []

    def walk(q):
        levels = torch.full((2,), 40)
        unit = net.unit(levels)

        def decode(part, expected, mask):
            seen.append(expected.clone())
            return (expected + q[:, part] * unit[:, part]) * mask

        with torch.no_grad():
            net.context(latents.z.float(), levels, unit, decode)

    walk(latents.q.float())
    changed = latents.q.float().clone()
    changed[:, 4, 0, 1] += 9  # slice 1 (channels 4..11), a place of the second colour
    walk(changed)
    first, second = seen[:6], seen[6:]
    assert all(torch.equal(a, b) for a, b in zip(first[:4], second[:4], strict=True))
    assert not torch.equal(first[4], second[4])


def test_bits_estimated_are_the_tables_bits(net, image):
    level = 40
    latents = net.analyse(image, level)
    index = net.scale_index(latents.z, level)
    chance = (net.q_counts[index, latents.q + Q_PEAK].double() + 1) / 2**24
    z_row = torch.arange(SMALL.z_dim)[:, None, None]
    z_chance = (net.z_counts[z_row, latents.z + 63].double() + 1) / 2**24
    coded = index >= net.skip
    exact = -(chance.log2() * coded).flatten(1).sum(1) - z_chance.log2().flatten(1).sum(1)
    with torch.no_grad():
        relaxed = net.relaxed(image, torch.full((2,), level), None)
    torch.testing.assert_close(relaxed.bits.double(), exact, rtol=0.01, atol=0)


def test_a_fresh_network_is_a_codec_already(image):
    """It starts as a cosine transform: quality rises with the level before any training."""
    fresh = CompressNet(dataclasses.replace(SMALL, dim=320)).eval()
    fresh.freeze()
    errors = [
        float((fresh.synthesise(fresh.analyse(image, at), at) - image).square().mean())
        for at in (0, 30, 63)
    ]
    assert errors[0] > 2 * errors[1] > 3 * errors[2]


def test_levels_span_the_promised_weights():
    levels = torch.arange(LEVELS)
    weights = trade_off(levels)
    torch.testing.assert_close(weights[[0, -1]], torch.tensor([0.0009, 0.1]))
    ratios = weights[1:] / weights[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(LEVELS - 1))
    # At the balance, the derivative of lambda 255² s²/36 (a third of s²/12) equals 1 / (s ln 2).
    steps = quantiser_steps(levels)
    slope = weights * 255**2 * steps / 18
    torch.testing.assert_close(slope * steps, torch.full((LEVELS,), 1 / 0.6931472))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.analyse(torch.zeros(1, 3, 64, 63), 3), "multiples of 64"),
        (lambda net: net.analyse(torch.zeros(1, 3, 64, 64), 64), r"level 64 is not in 0\.\.63"),
        (
            lambda net: net.synthesise(
                Latents(torch.zeros(1, 8, 1, 1), torch.zeros(1, 24, 4, 5)), 3
            ),
            "different images",
        ),
    ],
)
def test_what_does_not_fit_is_refused(net, call, message):
    with pytest.raises(ValueError, match=message):
        call(net)


def test_descriptor_tells_the_padding(net):
    assert net.descriptor.multiple == STRIDE
    assert net.descriptor.tiling == "per-tile"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TransformConfig(analysis=(65, 1)), "at most 64, not 65"),
        (lambda: TransformConfig(fine=2000), "fine must be at most 1024"),
        (lambda: ContextConfig(hidden=2000), "hidden must be at most 1024"),
        (lambda: ContextConfig(slices=(1,) * 17), "slices must be at most 16, not 17"),
        (lambda: ContextConfig(slices=(4, 0)), "width must be at least 1"),
        (lambda: CompressNet(CompressConfig(dim=96)), "leave nothing of 96 channels"),
        (lambda: CompressNet(CompressConfig(dim=800)), "1 to 768 latents, not 800"),
    ],
)
def test_settings_that_no_file_should_hold_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
