"""Quality levels: what each weighs, and vectors that vary smoothly over all of them.

One network serves every level. Vectors are learned at nine knots, eight levels apart, and
interpolated, because a short training shows each level too few images for a vector of its own.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

LEVELS: Final = 64
KNOT_STEP: Final = 8
KNOTS: Final = LEVELS // KNOT_STEP + 1
_COARSEST, _FINEST = 0.0009, 0.1


def trade_off(levels: Tensor) -> Tensor:
    """Weight lambda of 255² times the squared error beside the bits per pixel, float32.

    From 0.0009 at level 0 to 0.1 at level 63 in equal ratios: about 0.05 to 2 bits per pixel.
    """
    growth = math.log(_FINEST / _COARSEST) / (LEVELS - 1)
    return _COARSEST * torch.exp(growth * levels.float())


def quantiser_steps(levels: Tensor) -> Tensor:
    """Step at which an orthonormal transform of RGB in 0..1 balances error against bits.

    Uniform noise of step s costs s²/12 per coefficient and log2(s) bits fewer; with lambda 255²
    times the mean over three colours the sum is least at s² = 18 / (ln 2 lambda 255²).
    """
    return (18 / (math.log(2) * 255**2 * trade_off(levels))).sqrt()


def at_knots(levels: Tensor) -> tuple[Tensor, Tensor]:
    """For each level the knot below it, and how many levels it lies above that knot."""
    return levels // KNOT_STEP, levels % KNOT_STEP


class LevelScale(nn.Module):
    """A positive factor per channel that depends on the quality level.

    Args:
        dim: Channels.
        start: Factor at each knot, (9,); one everywhere if it is not given.
    """

    def __init__(self, dim: int, start: Tensor | None = None) -> None:
        super().__init__()
        start = torch.ones(KNOTS) if start is None else start
        self.log_knots = nn.Parameter(start.log()[:, None].repeat(1, dim))

    def forward(self, levels: Tensor) -> Tensor:
        """Factors (B, C, 1, 1) at the levels (B)."""
        below, above = at_knots(levels)
        share = (above.float() / KNOT_STEP)[:, None]
        return torch.lerp(self.log_knots[below], self.log_knots[below + 1], share).exp()[
            :, :, None, None
        ]


def knot_levels() -> Tensor:
    """The levels at which the knots lie; the last is one beyond the finest level."""
    return torch.arange(KNOTS) * KNOT_STEP
