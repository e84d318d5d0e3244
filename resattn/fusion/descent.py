"""Adam, small enough to start at once.

`torch.optim` imports the compiler of torch when an optimizer is made: 3 CPU seconds, a tenth of an
adaptation, for something that is never compiled here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

_DECAY = (0.9, 0.999)
_LEAST = 1e-8


class Adam:
    """Steps along means of gradients over the roots of means of their squares.

    Args:
        parameters: Changed in place.

    Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        self._means = [torch.zeros_like(one) for one in self.parameters]
        self._squares = [torch.zeros_like(one) for one in self.parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step of size `rate` along the gradients, which are forgotten."""
        self._steps += 1
        first, second = (1 - decay**self._steps for decay in _DECAY)
        for one, mean, square in zip(self.parameters, self._means, self._squares, strict=True):
            if one.grad is None:
                continue
            mean.lerp_(one.grad, 1 - _DECAY[0])
            square.mul_(_DECAY[1]).addcmul_(one.grad, one.grad, value=1 - _DECAY[1])
            spread = square.sqrt().div_(math.sqrt(second)).add_(_LEAST)
            one.addcdiv_(mean, spread, value=-rate / first)
            one.grad = None
