"""Identities of attention to all pixels, to sampled points and to free keys."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from resattn.bias import PointBias
from resattn.checks.probe import Probe, error, identities
from resattn.mixers.deformable import DeformableAttention, DeformableConfig
from resattn.mixers.keys import KeyAttention, KeyConfig, Keys
from resattn.mixers.position import PositionAttention, PositionConfig
from resattn.ops.sampling import lattice, sample

DEFORMABLE_EXAMPLES = (DeformableConfig(16, 8, 4), DeformableConfig(16, 8, 4, step=2, reach=1.5))
KEY_EXAMPLES = (
    KeyConfig(16, 4, extent=40, unit=1.0),
    KeyConfig(16, 4, extent=40, unit=1.0, published=True),
)


def position_attention_as_written(probe: Probe) -> float:
    """The softmax of unscaled logits."""
    mixer, x = probe.fill(PositionAttention(PositionConfig(16))), probe.randn(2, 4, 5, 16)
    tokens = x.flatten(1, 2)
    weights = (mixer.q(tokens) @ mixer.k(tokens).mT).softmax(-1)
    return error(mixer(x), (weights @ mixer.v(tokens)).view_as(x))


def position_attention_of_a_tile_to_the_image(probe: Probe) -> float:
    """A tile whose context is the image gives the image's own result there."""
    mixer, x = probe.fill(PositionAttention(PositionConfig(16))), probe.randn(1, 6, 7, 16)
    return error(mixer(x[:, 2:5, 3:], x), mixer(x)[:, 2:5, 3:])


def zero_offsets_are_plain_attention(probe: Probe) -> float:
    """On a lattice of all pixels."""
    mixer = probe.fill(DeformableAttention(DeformableConfig(8, 6, 2)))
    torch.nn.init.zeros_(mixer.offset[2].weight)  # type: ignore[arg-type]  # a convolution
    x, context = probe.randn(2, 4, 5, 8), probe.randn(2, 4, 5, 6)
    return error(mixer(x, context), _attention(mixer, x, context))


def a_constant_offset_shifts_the_context(probe: Probe) -> float:
    """Samples one pixel right and two down are the context shifted, its border repeated."""
    context = probe.randn(1, 3, 5, 6)
    points = lattice(5, 6, 1, probe.device) + torch.tensor([1.0, 2.0], device=probe.device)
    shifted = F.pad(context, (0, 1, 0, 2), mode="replicate")[:, :, 2:, 1:]
    return error(sample(context, points[None].to(probe.dtype)), shifted)


def offsets_stay_within_reach(probe: Probe) -> float:
    """However large the network's answer."""
    mixer = probe.fill(DeformableAttention(DeformableConfig(8, 6, 2, reach=1.5)), std=100.0)
    offsets = mixer.points(probe.randn(1, 4, 5, 8)) - lattice(4, 5, 1, probe.device)
    return max(0.0, float(offsets.detach().abs().max()) - 1.5)


def keys_at_every_pixel_are_cross_attention(probe: Probe) -> float:
    """With a bias of zero."""
    mixer = probe.fill(KeyAttention(KeyConfig(8, 2, extent=8)))
    mixer.bias.map.weight.data.zero_()
    x, context = probe.randn(2, 4, 5, 8), probe.randn(2, 4, 5, 8)
    keys = Keys(context.flatten(1, 2), probe.randn(2, 20, 2))
    return error(mixer(x, keys), _attention(mixer, x, context))


def the_order_of_keys_does_not_matter(probe: Probe) -> float:
    """Keys are a set."""
    mixer, x = probe.fill(KeyAttention(KeyConfig(8, 2, extent=8))), probe.randn(1, 4, 5, 8)
    keys, order = Keys(probe.randn(1, 9, 8), 3 * probe.randn(1, 9, 2)), probe.randperm(9)
    other = Keys(keys.features[:, order], keys.positions[:, order])
    return error(mixer(x, other), mixer(x, keys))


def the_bias_depends_on_the_offset_only(probe: Probe) -> float:
    """Moving all keys by one pixel moves the output by one pixel."""
    mixer = probe.fill(KeyAttention(KeyConfig(8, 2, extent=60, unit=1.0)))
    x, keys = probe.randn(1, 4, 5, 8), Keys(probe.randn(1, 9, 8), 3 * probe.randn(1, 9, 2))
    moved = replace(keys, positions=keys.positions + 1)
    wide = F.pad(x, (0, 0, 1, 0, 1, 0))
    return error(mixer(wide, moved)[:, 1:, 1:], mixer(x, keys))


def the_interpolated_bias_is_the_network_at_whole_units(probe: Probe) -> float:
    """Sines and cosines of the offset through the linear map, evaluated directly."""
    bias = probe.fill(PointBias(2, extent=10, unit=8.0))
    offsets = torch.cartesian_prod(*[torch.arange(-5, 6, device=probe.device)] * 2)
    points = (8.0 * offsets + 4.0).to(probe.dtype)[None]  # the pixel's centre lies at 8 / 2
    direct = bias.map(torch.cat([_waves(offsets[:, i]) for i in (0, 1)], 1).to(probe.dtype))
    return error(bias(points, 1, 1, cell=8.0)[0, :, 0], direct.T)


def the_published_bias_samples_a_map(probe: Probe) -> float:
    """As released: a square map read by grid_sample, offsets over half the extent, then log."""
    bias = probe.fill(PointBias(3, extent=10, unit=2.0, published=True))
    bias.map.bias.data.fill_(0.5)
    table = torch.cartesian_prod(*[torch.arange(-5, 6, device=probe.device)] * 2)
    waves = torch.cat([_waves(table[:, 1]), _waves(table[:, 0])], 1).to(probe.dtype)
    image = bias.map(waves).T.view(1, 3, 11, 11)
    points = 6 * probe.randn(1, 20, 2)
    read = F.grid_sample(
        image, (points[:, None] - 0.5) / 2 / 5, padding_mode="border", align_corners=False
    )
    return error(bias(points, 1, 1, cell=1.0)[:, :, 0], read[:, :, 0].clamp_min(1e-6).log())


def _waves(offset: Tensor) -> Tensor:
    frequencies = 1000 ** (-4 * torch.arange(64, device=offset.device).double() / 256)
    phases = offset[:, None] * frequencies
    return torch.cat([phases.sin(), phases.cos()], 1)


def _attention(mixer: DeformableAttention | KeyAttention, x: Tensor, context: Tensor) -> Tensor:
    """Plain cross attention of all pixels of `x` to all of `context`, with the mixer's weights."""
    q = mixer.q(x).flatten(1, 2).unflatten(-1, (2, -1)).transpose(1, 2)
    k, v = mixer.kv(context).flatten(1, 2).unflatten(-1, (2, 2, -1)).permute(2, 0, 3, 1, 4)
    mixed = ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
    out: Tensor = mixer.proj(mixed).view_as(x)
    return out


POSITION = identities(position_attention_as_written, position_attention_of_a_tile_to_the_image)
DEFORMABLE = identities(
    zero_offsets_are_plain_attention,
    a_constant_offset_shifts_the_context,
    offsets_stay_within_reach,
)
KEYS = identities(
    keys_at_every_pixel_are_cross_attention,
    the_order_of_keys_does_not_matter,
    the_bias_depends_on_the_offset_only,
    the_interpolated_bias_is_the_network_at_whole_units,
    the_published_bias_samples_a_map,
)
