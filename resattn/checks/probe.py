"""What an identity check is, and the seeded random tensors it is tried on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class Probe:
    """Random tensors and modules of one device and precision, the same for the same seed."""

    def __init__(
        self, device: str = "cpu", dtype: torch.dtype = torch.float64, seed: int = 0
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self._generator = torch.Generator().manual_seed(seed)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal values; drawn on the CPU, so equal on every device."""
        values = torch.randn(shape, generator=self._generator, dtype=torch.float64)
        return values.to(self.device, self.dtype)

    def randperm(self, n: int) -> Tensor:
        """A random order of 0 … n - 1."""
        return torch.randperm(n, generator=self._generator).to(self.device)

    def fill(self, module: M, std: float = 0.3) -> M:
        """`module` here and in this precision, every parameter redrawn from N(0, std^2)."""
        module = module.to(self.device, self.dtype)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(self.randn(*parameter.shape) * std)
        return module

    @property
    def tolerance(self) -> float:
        """Relative error that rounding explains: 64 units in the last place."""
        return 64 * torch.finfo(self.dtype).eps


@dataclass(frozen=True)
class Check:
    """One identity: `measure` returns a relative error, zero where it holds exactly."""

    name: str
    measure: Callable[[Probe], float]


def identities(*functions: Callable[[Probe], float]) -> tuple[Check, ...]:
    """Checks named after their functions."""
    return tuple(Check(f.__name__.replace("_", " "), f) for f in functions)


def error(estimate: Tensor, reference: Tensor) -> float:
    """Root-mean-square difference over the root-mean-square of the reference.

    A shape that differs, or a value that is not finite, is an infinite error.
    """
    if estimate.shape != reference.shape or not estimate.isfinite().all():
        return math.inf
    wanted = reference.detach().double()
    difference = (estimate.detach().double() - wanted).square().mean().sqrt()
    return float(difference / wanted.square().mean().sqrt().clamp_min(1e-300))


def violated(estimate: Tensor, reference: Tensor) -> float:
    """0 where the two clearly differ, as a broken symmetry must; infinite where they agree."""
    return 0.0 if error(estimate, reference) > 1e-2 else math.inf


def holds(condition: bool) -> float:
    """0 for a true statement, infinite for a false one."""
    return 0.0 if condition else math.inf
