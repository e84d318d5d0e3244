"""What mixers declare about themselves, measured."""

from __future__ import annotations

import pytest
import torch
from core_cases import EXAMPLES, case, pixels
from torch.utils.flop_counter import FlopCounterMode

from resattn.checks.probe import error
from resattn.mixers.base import GlobalMixer
from resattn.registry import build

PARAMETERS = {
    "eca-0": 3,
    "cbam-0": 2 * 16 * 4 + 4 + 16 + 2 * 49 + 1,
    "additive-0": 16 * 8 + 8 * 8 + 8 + 8 + 1,
    "large-kernel-0": 16 * (2 * (3 + 1) + 2 * (5 + 1)) + 16 * 16 + 16,
    "window-0": 4 * 16 * 16 + 4 * 16 + 4 * 7 * 7,
    # two networks 2 -> 64 -> 64 -> 64 -> 2 with three norms, and the depthwise branch
    "window-1": 4 * 16 * 16 + 4 * 16
    + 2 * (3 * 64 + 3 * 2 * 64 + 2 * 65 * 64 + 65 * 2) + 16 * 10,
    "window-2": 4 * 16 * 16 + 4 * 16 + 3 * 64 + 64 * 4 + 4,
    "transposed-0": 4 * 16 * 16 + 3 * 16 * 9 + 4,
    "channel-0": 0,
    "channel-1": 0,
    "position-0": 2 * (16 * 2 + 2) + 16 * 16 + 16,
    "deformable-0": 2 * (16 * 16 + 16) + 8 * 32 + 32 + 16 * 10 + 16 * 2,
    "deformable-1": 2 * (16 * 16 + 16) + 8 * 32 + 32 + 16 * 10 + 16 * 2,
    "keys-0": 4 * (16 * 16 + 16) + 257 * 4,
    "keys-1": 4 * (16 * 16 + 16) + 257 * 4,
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES)
def test_parameter_count(example):
    mixer = build(EXAMPLES[example])
    assert sum(p.numel() for p in mixer.parameters()) == PARAMETERS[example]


@pytest.mark.parametrize("size", [(8, 8), (9, 14)])
@pytest.mark.parametrize("example", EXAMPLES)
def test_flops_are_those_torch_counts(example, size):
    mixer, x, context = case(example, *size, batch=1)
    mixer.impl = "reference"  # torch has no count for the fused kernel on the CPU
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        mixer(x, context)
    assert counted.get_total_flops() == mixer.flops(*size)


@pytest.mark.parametrize("example", EXAMPLES)
def test_reach_is_the_declared_radius(example):
    mixer, x, context = case(example, 17, 19, batch=1)
    given = {"statistics": mixer.measure(x, context)} if isinstance(mixer, GlobalMixer) else {}
    x.requires_grad_()
    y = pixels(mixer, mixer(x, context, **given))
    reach = 0
    for row, column in [(0, 0), (8, 9), (3, 3), (9, 4), (16, 18), (6, 8), (8, 2), (7, 12)]:
        gradient = torch.autograd.grad(y[0, row, column].sum(), x, retain_graph=True)[0]
        rows, columns = pixels(mixer, gradient)[0].abs().sum(-1).nonzero().T
        reach = max(reach, int((rows - row).abs().max()), int((columns - column).abs().max()))
    assert reach == (18 if mixer.radius() is None else mixer.radius())


@pytest.mark.parametrize("options", [{"impl": "sdpa"}, {"impl": "tiled", "max_bytes": 2**11}])
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_execution_equals_the_reference_in_values_and_gradients(example, options):
    mixer, x, context = case(example, 9, 10)
    if mixer.family not in ("window", "global", "keys"):
        pytest.skip("runs no softmax attention over pixels")
    x.requires_grad_()
    results = []
    for settings in ({"impl": "reference"}, options):
        for name, value in settings.items():
            setattr(mixer, name, value)
        y = mixer(x, context)
        leaves = [x, *mixer.parameters()]
        results.append((y, *torch.autograd.grad(y.square().sum(), leaves)))
    for reference, fast in zip(*results, strict=True):
        # k's bias shifts all logits of a query alike: its gradient is zero up to rounding.
        assert error(fast, reference) < 1e-10 or reference.abs().max() < 1e-10
