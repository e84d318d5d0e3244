from __future__ import annotations

import pytest
import torch
from torch import nn

from resattn.checks.probe import Probe
from resattn.mixers.cbam import CbamConfig
from resattn.mixers.eca import EcaConfig
from resattn.mixers.sweep import exact_statistics, given_statistics
from resattn.ops.padding import reflect
from resattn.residual import ResidualAttention


class Net(nn.Module):
    """Convolutions around two image-wide gates, as in the pansharpening network."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(2, 32, 3, padding=1)
        self.cbam = ResidualAttention(32, CbamConfig(32), norm="none", policy="gate")
        self.body = nn.Conv2d(32, 32, 3, padding=1)
        self.eca = ResidualAttention(32, EcaConfig(32), norm="none", policy="gate")
        # 32 channels: oneDNN rounds a convolution from 16 to fewer differently per image width.
        self.tail = nn.Conv2d(32, 4, 3, padding=1)

    def forward(self, x):
        return self.tail(self.eca(self.body(self.cbam(self.head(x)))))


HALO = 16  # radius 1 + 3 + 1 + 1 = 6, rounded up to a run of pixels


def tiles_of(x, size):
    """(tile with halo, inner part within it, where it goes)."""
    height, width = x.shape[-2:]
    for top in range(0, height, size):
        for left in range(0, width, size):
            bottom, right = min(top + size, height), min(left + size, width)
            up, start = max(top - HALO, 0), max(left - HALO, 0)
            tile = x[:, :, up : bottom + HALO, start : right + HALO]
            inner = (slice(top - up, bottom - up), slice(left - start, right - start))
            yield tile, inner, (slice(top, bottom), slice(left, right))


def tiled(net, x, size):
    known = exact_statistics(net, lambda: (((t,), inner) for t, inner, _ in tiles_of(x, size)))
    out = torch.empty(1, 4, *x.shape[2:])
    with torch.no_grad(), given_statistics(net, known):
        for tile, inner, place in tiles_of(x, size):
            out[:, :, place[0], place[1]] = net(tile)[:, :, inner[0], inner[1]]
    return out


@pytest.fixture(scope="module")
def net():
    return Probe(dtype=torch.float32).fill(Net()).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [32, 48, 64, 80, 96])
def test_image_wide_gates_are_bit_equal_for_any_tile_size(net, size):
    x = Probe(dtype=torch.float32).randn(1, 2, 75, 94).to(memory_format=torch.channels_last)
    with torch.no_grad():
        whole = net(x)
    assert torch.equal(tiled(net, x, size), whole)


def test_without_the_sweep_tiles_differ(net):
    x = Probe(dtype=torch.float32).randn(1, 2, 64, 64)
    tile, inner, place = next(tiles_of(x, 32))
    with torch.no_grad():
        assert not torch.allclose(
            net(tile)[..., inner[0], inner[1]], net(x)[..., place[0], place[1]]
        )


def test_hooks_are_gone_afterwards(net):
    x = Probe(dtype=torch.float32).randn(1, 2, 32, 32)
    with torch.no_grad():
        before = net(x)
        tiled(net, x + 1, 16)
        assert torch.equal(net(x), before)


def test_one_sweep_per_global_mixer(net):
    sweeps = []

    def tiles():
        sweeps.append(1)
        return [((torch.zeros(1, 2, 16, 16),), (slice(0, 16), slice(0, 16)))]

    assert list(exact_statistics(net, tiles)) == ["cbam.mixer", "eca.mixer"]
    assert len(sweeps) == 2


def test_statistics_are_taken_at_the_resolution_of_the_layer():
    net = nn.Sequential(nn.AvgPool2d(4), ResidualAttention(2, EcaConfig(2), norm="none"))
    x = Probe(dtype=torch.float32).randn(1, 2, 32, 32)
    whole = [((x,), (slice(0, 32), slice(0, 32)))]
    halves = [((x,), (slice(0, 8), slice(0, 32))), ((x,), (slice(8, 32), slice(0, 32)))]
    one, two = (exact_statistics(net, lambda tiles=t: tiles)["1.mixer"] for t in (whole, halves))
    assert one.count == two.count == 64
    assert torch.allclose(one.sums[0], two.sums[0], rtol=1e-12)
    with pytest.raises(ValueError, match="align tiles"):
        exact_statistics(net, lambda: [((x,), (slice(0, 6), slice(0, 32)))])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3), (3, 9), (8, 8)])
def test_reflect_padding_mirrors_back_and_forth(size):
    np = pytest.importorskip("numpy")
    x = Probe().randn(1, 2, *size)
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="reflect")
    assert torch.equal(reflect(x, 3), torch.from_numpy(expected))
