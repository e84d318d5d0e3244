"""Adam without an optimizer object against one with it."""

import subprocess
import sys
from pathlib import Path

import torch

from resattn.fusion.descent import Adam


def test_steps_like_the_optimizer_of_torch():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((5, 3), (7,))]
    ours, theirs = ([one.clone().requires_grad_() for one in start] for _ in range(2))
    small, large = Adam(ours), torch.optim.Adam(theirs)
    for step in range(8):
        rate = 0.01 / (1 + step)
        large.param_groups[0]["lr"] = rate
        for parameters in (ours, theirs):
            sum(((one - 1) ** 3).sum().sin() for one in parameters).backward()
        small.step(rate)
        large.step()
        large.zero_grad()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b)
            assert a.grad is None


def test_a_parameter_without_gradient_stays():
    still, moving = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    moving.sum().backward()
    Adam([still, moving]).step(0.5)
    assert still.tolist() == [1, 1]
    torch.testing.assert_close(moving, torch.full((2,), 0.5))


def test_the_compiler_of_torch_is_not_imported():
    code = """
import sys, torch
from resattn.fusion.descent import Adam
one = torch.ones(2, requires_grad=True)
one.sum().backward()
Adam([one]).step(0.5)
sys.exit("torch._dynamo" in sys.modules)
"""
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
