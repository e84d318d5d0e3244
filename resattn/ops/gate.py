"""The gate of a single plane of logits."""

from __future__ import annotations

import torch
from torch import Tensor


def gate(logits: Tensor) -> Tensor:
    """sigmoid(logits), the same bits for a pixel wherever it lies in the tensor.

    Torch computes whole vectors and the rest of a float32 tensor by two exponentials that differ
    in the last bit, so tiles would differ from the image. Rounding float64 results hides that.
    """
    return torch.sigmoid(logits.double()).to(logits.dtype)
