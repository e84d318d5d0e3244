from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from resattn.checks.probe import Probe, error
from resattn.mixers.additive import AdditiveConfig
from resattn.mixers.base import Mixer
from resattn.mixers.cbam import CbamConfig
from resattn.mixers.eca import EcaConfig
from resattn.residual import DropPath, ResidualAttention, ResidualStack, ScalePolicy


class Linear(Mixer):
    """A unit-gain linear map over channels: the f of the depth experiments."""

    layout = "NHWC"
    family = "channel"

    def __init__(self, weight):
        nn.Module.__init__(self)
        self.weight = weight

    def forward(self, x, context=None):
        return x @ self.weight.T

    def radius(self):
        return 0

    def flops(self, height, width):
        return 0

    def extra_bytes(self, height, width):
        return 0


class Zero(Linear):
    def forward(self, x, context=None):
        return torch.zeros_like(x)


def image(*shape, dtype=torch.float64):
    return Probe(dtype=dtype).randn(*shape)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_zero_branch_leaves_the_image_bit_for_bit(norm):
    x = image(2, 4, 5, 6)
    assert torch.equal(ResidualAttention(4, Zero(None), norm=norm).double()(x), x)


@pytest.mark.parametrize(("policy", "exact"), [("rezero", True), ("layerscale:0", True)])
def test_a_policy_of_zero_is_the_identity_but_learns(policy, exact):
    block = Probe().fill(ResidualAttention(8, EcaConfig(8), policy=policy))
    nn.init.zeros_(block.scale.gamma)
    x = image(1, 8, 3, 4)
    y = block(x)
    assert torch.equal(y, x) == exact
    y.square().sum().backward()
    assert block.scale.gamma.grad.abs().sum() > 0


def test_gates_of_zero_weights_add_a_half_or_a_quarter():
    x = image(1, 8, 5, 6)
    for config, factor in [(EcaConfig(8), 1.5), (CbamConfig(8), 1.25)]:
        block = ResidualAttention(8, config, norm="none", policy="gate").double()
        for parameter in block.parameters():
            nn.init.zeros_(parameter)
        assert error(block(x), factor * x) < 1e-15


def test_layer_scale_holds_one_value_per_channel():
    block = ResidualAttention(8, EcaConfig(8), policy="layerscale:0.25")
    assert torch.equal(block.scale.gamma, torch.full((8,), 0.25))


def test_post_norm_fixes_the_size_of_the_branch_whatever_the_mixer_returns():
    x = image(1, 16, 5, 6)
    for gain in (1.0, 1e4):
        block = ResidualAttention(16, Linear(gain * torch.eye(16).double()), post_norm=True)
        branch = block.double()(x) - x
        assert branch.square().mean().sqrt().item() == pytest.approx(1.0, rel=0.05)


def test_layouts_agree():
    x = image(2, 8, 5, 6)
    weight = image(8, 8)
    nchw = ResidualAttention(8, Linear(weight)).double()
    nhwc = ResidualAttention(8, Linear(weight), layout="NHWC").double()
    assert error(nhwc(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), nchw(x)) < 1e-14


def test_context_reaches_the_mixer_in_its_own_layout():
    block = ResidualAttention(8, AdditiveConfig(8, 4, 8), norm="none").double()
    x, g = image(1, 8, 5, 6), image(1, 4, 5, 6)
    expected = x + block.mixer(x.permute(0, 2, 3, 1), g.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert torch.equal(block(x, g), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "layerscal"}, "unknown scale policy 'layerscal'; did you mean"),
        ({"policy": "layerscale:big"}, "unknown scale policy"),
        ({"policy": "depth:cubic"}, "unknown scale policy"),
        ({"policy": "gate"}, "norm 'none'"),
        ({"norm": "batch"}, "unknown norm 'batch'"),
        ({"drop_path": 1.0}, r"\[0, 1\), not 1.0"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ResidualAttention(8, EcaConfig(8), **options)


def test_drop_path_keeps_the_expectation_and_is_off_in_inference():
    drop = DropPath(0.25)
    x = torch.ones(20_000, 1)
    torch.manual_seed(0)
    y = drop(x)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert y.mean().item() == pytest.approx(1.0, abs=0.02)  # 5 standard errors
    assert torch.equal(drop.eval()(x), x)


def test_a_stack_raises_its_drop_path_with_depth():
    stack = ResidualStack(8, [EcaConfig(8)] * 5, drop_path=0.2, norm="none")
    assert [block.drop_path.rate for block in stack] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])


def _tower(policy, depth, dim=256):
    probe = Probe(seed=5)
    mixers = [Linear(probe.randn(dim, dim) / math.sqrt(dim)) for _ in range(depth)]
    return ResidualStack(dim, mixers, norm="none", policy=policy, layout="NHWC"), mixers


@pytest.mark.parametrize(
    ("policy", "low", "high"),
    [("depth:linear", 0.95, 1.1), ("depth:sqrt", 1.5, 1.8), ("plain", 1e9, 1e11)],
)
def test_gain_after_64_unit_gain_modules(policy, low, high):
    """Independent unit-gain branches: (1 + L^-2p)^(L/2), so e^(1/2L), sqrt(e) and 2^32."""
    stack, _ = _tower(policy, 64)
    x = Probe(seed=6).randn(1, 1, 1, 256)
    assert low < (stack(x).norm() / x.norm()).item() < high


@pytest.mark.parametrize("policy", ["plain", "depth:linear", "depth:sqrt"])
def test_a_linear_tower_is_the_sum_over_all_ordered_subsets(policy):
    """prod (1 + s F_l) = sum over subsets S of s^|S| times the ordered product of S."""
    depth, dim = 5, 6
    stack, mixers = _tower(policy, depth, dim)
    scale = {"plain": 1.0, "depth:linear": 1 / depth, "depth:sqrt": depth**-0.5}[policy]
    expansion = torch.zeros(dim, dim, dtype=torch.float64)
    for subset in range(2**depth):
        term = torch.eye(dim, dtype=torch.float64)
        for level in range(depth):
            if subset >> level & 1:
                term = scale * mixers[level].weight @ term
        expansion += term
    x = Probe(seed=6).randn(1, 2, 3, dim)
    assert error(stack(x), x @ expansion.T) < 1e-12


def test_policies_parse_to_what_they_say():
    assert ScalePolicy.parse("plain") == ScalePolicy()
    assert ScalePolicy.parse("layerscale").start == 1e-5
    assert ScalePolicy.parse("depth:sqrt").exponent == 0.5
