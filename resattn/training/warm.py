"""Starting a run from the weights of another."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from torch import Tensor, nn

from resattn.errors import WeightsError

_logger = logging.getLogger(__name__)


def warm_start(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Puts weights into a model of the same make; returns the names that stay fresh.

    Tensors whose shapes differ, such as the tail for another scale, keep their random start; a
    warning tells which.

    Raises:
        WeightsError: The names are not the model's, or less than half fits (E604).
    """
    own = model.state_dict()
    fresh = sorted(k for k, v in own.items() if k not in weights or weights[k].shape != v.shape)
    if weights.keys() != own.keys() or 2 * len(fresh) > len(own):
        raise WeightsError(
            f"the weights to start from are of another model: {len(own) - len(fresh)} of "
            f"{len(own)} tensors fit",
            "choose weights of the same architecture",
            code="E604",
        )
    if fresh:
        _logger.warning("these tensors start from random values: %s", ", ".join(fresh))
    model.load_state_dict({k: v if k in fresh else weights[k] for k, v in own.items()})
    return fresh
