"""Scale indices are integers that no device, layout, thread count or engine can change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from net_cases import SMALL, random_net

from resattn.errors import WeightsError
from resattn.models.compress_integer import (
    ENGINES,
    MAX_WIDTH,
    MAX_Z,
    Z_PEAK,
    IntScale,
)
from resattn.models.compress_levels import LEVELS


@pytest.fixture(scope="module")
def z():
    generator = torch.Generator().manual_seed(2)
    return torch.randint(-Z_PEAK, Z_PEAK + 1, (LEVELS, SMALL.z_dim, 2, 3), generator=generator)


EACH = torch.arange(LEVELS)


def by_numpy(scale, z, levels):
    """The network written again in numpy integers, by loops over offsets."""
    x = z.numpy().astype(np.int64)
    for layer in scale.layers:
        stage = layer.stage
        if stage.kernel == 3:
            padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
            rows, columns = x.shape[2:]
            near = [padded[:, :, r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
            x = np.concatenate(near, 1)
        sums = np.einsum("oi,bihw->bohw", layer.weight_int.numpy().astype(np.int64), x)
        bias = layer.bias_int.numpy().astype(np.int64)
        if stage.levels:
            low, high = bias[levels // 8], bias[levels // 8 + 1]
            part = (levels % 8)[:, None]
            bias = (low * (8 - part) + high * part) // 8
        y = (sums + bias[:, :, None, None] + 2 ** (stage.shift - 1)) // 2**stage.shift
        x = np.clip(y, 0, stage.peaks[1])
        if stage.grow:
            b, c, h, w = x.shape
            x = x.reshape(b, c // 4, 2, 2, h, w).transpose(0, 1, 4, 2, 5, 3)
            x = x.reshape(b, c // 4, 2 * h, 2 * w)
    return x


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_equal_an_independent_one(net, z, engine):
    expected = by_numpy(net.scale, z, EACH.numpy())
    assert np.unique(expected).size > 20
    assert np.array_equal(net.scale.exact(z, EACH, engine).numpy(), expected)


def test_training_runs_the_exported_function(net, z):
    """At every level, to the last index, also under autocast."""
    expected = net.scale.exact(z, EACH)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(net.scale.relaxed(z.float(), EACH).long(), expected)
    parameters = net.scale.relaxed(z.float(), EACH)
    assert parameters.requires_grad
    assert torch.equal(parameters.long(), expected)


@pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")
def test_layout_batch_and_threads_change_nothing(net, z):
    expected = net.scale.exact(z, EACH)
    assert torch.equal(
        net.scale.exact(z.contiguous(memory_format=torch.channels_last), EACH), expected
    )
    one_by_one = [net.scale_index(z[i : i + 1].to(torch.int16), i) for i in range(0, LEVELS, 7)]
    assert torch.equal(torch.cat(one_by_one), expected[::7])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - threads if threads < 3 else 1)
        assert torch.equal(net.scale.exact(z, EACH), expected)
    finally:
        torch.set_num_threads(threads)
    with torch.backends.mkldnn.flags(enabled=False):
        assert torch.equal(net.scale.exact(z, EACH), expected)


def test_every_partial_sum_is_below_two_to_the_24():
    """The bound holds for the input that makes the sum largest, channel by channel."""
    net = random_net()
    for layer in net.scale.layers:
        weight = layer.weight_int.long()
        worst = (weight.abs() * layer.stage.peaks[0]).sum(1) + layer.bias_int.long().abs().amax(0)
        assert int(worst.max()) <= layer.bound() < 2**24


def test_the_largest_trained_weights_still_pass():
    """Rounding limits weights and biases, so that no training can break the bound."""
    scale = IntScale(MAX_Z, MAX_WIDTH, torch.zeros(9, 320))
    with torch.no_grad():
        for parameter in scale.parameters():
            parameter.fill_(1e6)
    scale.freeze()
    assert scale.known_answer() == "fp32"


def test_more_channels_than_the_bound_allows_are_refused():
    with pytest.raises(ValueError, match="width must be at most 108, not 109"):
        IntScale(8, MAX_WIDTH + 1, torch.zeros(9, 16))
    with pytest.raises(ValueError, match="z_dim must be at most 216, not 217"):
        IntScale(MAX_Z + 1, 16, torch.zeros(9, 16))


def test_integers_that_break_the_bound_are_refused():
    net = random_net()
    net.scale.layers[1].bias_int.fill_(2**24)
    with pytest.raises(WeightsError, match="can reach 16") as caught:
        net.known_answer()
    assert caught.value.code == "E605"


def test_a_changed_weight_misses_the_known_answer():
    net = random_net()
    net.scale.layers[2].weight_int[:, 3] += 3
    with pytest.raises(WeightsError, match="known answer"):
        net.known_answer()


def test_an_inexact_engine_is_passed_over(monkeypatch, caplog):
    net = random_net()
    exact = type(net.scale).exact

    def broken(self, z, levels, engine=None):
        index = exact(self, z, levels, engine)
        return index + 1 if engine == "fp32" else index

    monkeypatch.setattr(type(net.scale), "exact", broken)
    assert net.known_answer() == "fp64"
    assert "fp32 integers are not exact" in caplog.text


def test_gradients_reach_every_parameter(net, z):
    net.scale.zero_grad()
    net.scale.relaxed(z.float().requires_grad_(), EACH).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.scale.parameters())
