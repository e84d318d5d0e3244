"""Adam without what an optimizer object brings along.

Making one imports the compiler of torch: 3 CPU seconds, up to a third of an adaptation, for
something that is never compiled here. The steps themselves are torch's.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Steps along means of gradients over the roots of means of their squares.

    Args:
        parameters: Changed in place.

    Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        self._state = [_fresh(one) for one in self.parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step of size `rate` along the gradients, which are forgotten."""
        moved = [
            (one, one.grad, *state)
            for one, state in zip(self.parameters, self._state, strict=True)
            if one.grad is not None
        ]
        parameters, gradients, means, squares, steps = map(list, zip(*moved, strict=True))
        adam(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        for one in self.parameters:
            one.grad = None


def _fresh(parameter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of gradients, mean of their squares, and the number of steps."""
    return torch.zeros_like(parameter), torch.zeros_like(parameter), torch.zeros(())
