"""The network: size, start, reach and independence of tiles."""

from __future__ import annotations

import pytest
import torch

from resattn.mixers.cbam import Cbam
from resattn.mixers.sweep import exact_statistics, given_statistics
from resattn.models.lambda_pnn import LambdaPnn, LambdaPnnConfig, seeded


def awake(config: LambdaPnnConfig) -> LambdaPnn:
    """A network whose last layer is not zero."""
    network = seeded(config, 0)
    torch.nn.init.normal_(network.leave.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    return network.eval()


@pytest.mark.parametrize(("bands", "parameters"), [(8, 207_150), (4, 198_442)])
def test_published_size(bands: int, parameters: int) -> None:
    network = LambdaPnn(LambdaPnnConfig.paper(bands))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_its_attention_is_the_core_s() -> None:
    kinds = [type(m) for m in LambdaPnn(LambdaPnnConfig(3)).modules()]
    assert kinds.count(Cbam) == 2


def test_a_fresh_network_adds_nothing_but_learns() -> None:
    network = seeded(LambdaPnnConfig(3, width=8), 0)
    out = network(torch.randn(1, 7, 20, 20, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(out, torch.zeros(1, 3, 20, 20))
    (out - 1).square().sum().backward()
    gradient = network.leave.weight.grad
    assert gradient is not None
    assert float(gradient.abs().max()) > 0


def test_the_seed_decides_and_leaves_torch_s_alone() -> None:
    before = torch.random.get_rng_state()
    first, again = (seeded(LambdaPnnConfig(2, width=8), 3).state_dict() for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = seeded(LambdaPnnConfig(2, width=8), 4).enter.weight
    assert not torch.equal(first["enter.weight"], other)


def test_reach_is_as_declared_and_not_less() -> None:
    network = awake(LambdaPnnConfig(2, width=8)).double()
    radius = network.descriptor.radius
    assert radius is not None
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 5, 48, 48, generator=generator, dtype=torch.float64)
    moved = x.clone()
    moved[..., 24, 24] += 1
    known = exact_statistics(network, lambda: [((x,), (slice(0, 48), slice(0, 48)))])
    with torch.no_grad(), given_statistics(network, known):
        changed = (network(x) != network(moved)).any(1)[0].nonzero()
    assert int((changed - 24).abs().max()) == radius


def test_tiles_equal_the_image_once_statistics_are_given() -> None:
    network = awake(LambdaPnnConfig(2, width=8))
    x = torch.randn(1, 5, 40, 64, generator=torch.Generator().manual_seed(0))
    known = exact_statistics(network, lambda: [((x,), (slice(0, 40), slice(0, 64)))])
    with torch.no_grad():
        alone = network(x)
        with given_statistics(network, known):
            tile = network(x[..., :48])
    assert torch.allclose(tile[..., :32], alone[..., :32], atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (3, 17)])
def test_any_size(size: tuple[int, int]) -> None:
    out = awake(LambdaPnnConfig(1, width=8))(torch.ones(1, 3, *size))
    assert out.shape == (1, 1, *size)
    assert bool(out.isfinite().all())
