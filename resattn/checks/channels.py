"""Identities of attention between channels."""

from __future__ import annotations

import torch

from resattn.checks.probe import Probe, error, identities
from resattn.mixers.channel import ChannelAttention, ChannelConfig
from resattn.mixers.transposed import TransposedAttention, TransposedConfig
from resattn.ops.gram import gram


def transposed_attention_as_written(probe: Probe) -> float:
    """Explicit unit vectors, softmax, product and projection, head by head."""
    mixer = probe.fill(TransposedAttention(TransposedConfig(8, 2)))
    x, context = probe.randn(2, 8, 5, 6), probe.randn(2, 8, 5, 6)
    q, (k, v) = mixer.q(context), mixer.kv(x).chunk(2, 1)
    heads = []
    for i, part in enumerate((slice(0, 4), slice(4, 8))):
        a, b, c = (t[:, part].flatten(2) for t in (q, k, v))
        a, b = (t / t.norm(dim=-1, keepdim=True) for t in (a, b))
        heads.append((a @ b.mT * mixer.temperature[i]).softmax(-1) @ c)
    return error(mixer(x, context), mixer.proj(torch.cat(heads, 1).view_as(x)))


def transposed_attention_ignores_the_scale_of_its_queries(probe: Probe) -> float:
    """Unit vectors: a context three times as bright gives the same weights."""
    mixer = probe.fill(TransposedAttention(TransposedConfig(8, 2)))
    x, context = probe.randn(1, 8, 5, 6), probe.randn(1, 8, 5, 6)
    return error(mixer(x, 3 * context), mixer(x, context))


def gram_ignores_the_order_of_pixels(probe: Probe) -> float:
    """Inner products over pixels do not know where a pixel is."""
    q, k, order = probe.randn(1, 2, 3, 4, 5), probe.randn(1, 2, 3, 4, 5), probe.randperm(20)
    a, b = (t.flatten(3)[..., order].view_as(t) for t in (q, k))
    return error(gram(a, b), gram(q, k))


def channel_attention_of_the_released_code(probe: Probe) -> float:
    """softmax(max E - E) x is softmax(-E) x; without `negate` it is softmax(E) x."""
    x = probe.randn(2, 6, 4, 5) / 4
    pixels = x.flatten(2)
    products = pixels @ pixels.mT
    released = (products.amax(-1, keepdim=True) - products).softmax(-1) @ pixels
    printed = products.softmax(-1) @ pixels
    return error(ChannelAttention(ChannelConfig(6))(x).flatten(2), released) + error(
        ChannelAttention(ChannelConfig(6, negate=False))(x).flatten(2), printed
    )


def channel_attention_ignores_channel_order(probe: Probe) -> float:
    """Permuting channels permutes the output."""
    mixer, x, order = ChannelAttention(ChannelConfig(6)), probe.randn(2, 6, 4, 5), probe.randperm(6)
    return error(mixer(x[:, order]), mixer(x)[:, order])


CHANNEL = identities(
    channel_attention_of_the_released_code,
    channel_attention_ignores_channel_order,
)
TRANSPOSED = identities(
    transposed_attention_as_written,
    transposed_attention_ignores_the_scale_of_its_queries,
    gram_ignores_the_order_of_pixels,
)
