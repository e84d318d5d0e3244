"""Exponential moving average of the weights: the model that is validated and exported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Averaged copy of a model's parameters.

    The decay rises as (1 + n) / (10 + n) to its full value, so that a short run is not dominated
    by its random start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._live = dict(model.named_parameters())
        self.values = {name: p.detach().clone() for name, p in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Moves the average towards the weights after step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in self.values.items():
            value.lerp_(self._live[name].detach(), 1 - decay)

    def load(self, values: dict[str, Tensor]) -> None:
        """Takes over the `values` of another average of the same model."""
        _copy((values[name] for name in self.values), self.values.values())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the model holds the averaged weights."""
        live = [p.detach().clone() for p in self._live.values()]
        _copy(self.values.values(), self._live.values())
        try:
            yield
        finally:
            _copy(live, self._live.values())


@torch.no_grad()
def _copy(source: Iterable[Tensor], target: Iterable[Tensor]) -> None:
    for value, place in zip(source, target, strict=True):
        place.copy_(value)
