"""Tiles give the image's own result bit for bit, for every mixer with a finite radius."""

from __future__ import annotations

import pytest
import torch
from core_cases import EXAMPLES, arranged, mapped, pixels
from torch import nn

from resattn.checks.probe import Probe
from resattn.mixers.keys import Keys
from resattn.mixers.sweep import exact_statistics, given_statistics
from resattn.registry import build
from resattn.residual import ResidualAttention

LOCAL = [name for name, config in EXAMPLES.items() if build(config).radius() is not None]


class Net(nn.Module):
    """Mixes an image beside a context, as a model would: convolution, attention, convolution."""

    def __init__(self, mixer):
        super().__init__()
        dim = mixer.config.dim
        self.head = nn.Conv2d(3, dim, 3, padding=1)
        self.block = ResidualAttention(dim, mixer, norm="layer")
        self.tail = nn.Conv2d(dim, dim, 3, padding=1)
        self.radius = mixer.radius() + 2

    def forward(self, x, context=None):
        return self.tail(self.block(self.head(x), context))


@pytest.mark.parametrize("size", [16, 32, 48, 64, 96])
@pytest.mark.parametrize("example", LOCAL)
def test_tiles_are_bit_equal_to_the_image(example, size):
    probe = Probe(dtype=torch.float32)
    net = probe.fill(Net(build(EXAMPLES[example]))).to(memory_format=torch.channels_last).eval()
    mixer = net.block.mixer
    x = probe.randn(1, 3, 72, 88).to(memory_format=torch.channels_last)
    features = arranged(mixer, probe.randn(1, mixer.config.dim, 72, 88))
    context = mixer.context_like(features, probe.randn)
    if isinstance(context, torch.Tensor):
        context = pixels(mixer, context).permute(0, 3, 1, 2)
    with torch.no_grad():
        whole = net(x, context)
        assert torch.equal(tiled(net, x, context, size), whole)


def tiled(net, x, context, size):
    """`net` applied to tiles with a halo of its radius, up to the mixer's grid."""
    tiles = list(cut(net, x, context, size))
    known = exact_statistics(net, lambda: ((inputs, inner) for inputs, inner, _ in tiles))
    out = torch.empty(1, net.tail.out_channels, *x.shape[2:])
    with given_statistics(net, known):
        for inputs, inner, place in tiles:
            out[..., place[0], place[1]] = net(*inputs)[..., inner[0], inner[1]]
    return out


def cut(net, x, context, size):
    halo = [-(-net.radius // step) * step for step in net.block.mixer.grid()]
    for rows in spans(x.shape[2], size, halo[0]):
        for columns in spans(x.shape[3], size, halo[1]):
            yield (
                (part(x, rows, columns), part(context, rows, columns)),
                (rows[1], columns[1]),
                (rows[2], columns[2]),
            )


def spans(side, size, halo):
    """(what a tile reads, its own part within that, its place in the image)."""
    for start in range(0, side, size):
        stop = min(start + size, side)
        first = max(start - halo, 0)
        yield (
            slice(first, min(stop + halo, side)),
            slice(start - first, stop - first),
            slice(start, stop),
        )


def part(context, rows, columns):
    if isinstance(context, Keys):
        top_left = torch.tensor([columns[0].start, rows[0].start]) * context.cell
        return Keys(context.features, context.positions - top_left, context.cell)
    return mapped(context, lambda image: image[..., rows[0], columns[0]])
