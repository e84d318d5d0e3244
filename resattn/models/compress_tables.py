"""Probability tables of the entropy coder, and their differentiable likenesses for training.

A table is a row of whole counts that is stored with the weights: a decoder never computes one.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from resattn.models.compress_integer import INDICES, Z_PEAK

TOTAL: Final = 1 << 24
Q_PEAK: Final = 255
_FINEST, _WIDEST = 0.09, 64.0
_TRUST = 5000
"""Values that must occur before a table follows them more than what it was before."""
_STEP_BITS = 18 / (3 * math.log(2))
"""What a squared error of one step is worth where `quantiser_steps` balances error and bits."""
_CAUTION = 0.3
"""Share of the way to the threshold that would be best were a residual alone in the world: others
are expected from it. Four squares of the fold with `light`: 2.2 % fewer bits at equal PSNR at .3,
1.8 % at .5; with larger thresholds between all values 2.0 %, at the whole of the way 1.3 % more."""
_RATIO = math.log(_WIDEST / _FINEST) / (INDICES - 1)


def scales(index: Tensor) -> Tensor:
    """Standard deviation that a scale index stands for, 0.09 to 64 in equal ratios."""
    return _FINEST * torch.exp(_RATIO * index)


def index_of(scale: Tensor) -> Tensor:
    """The index, not rounded, of a standard deviation."""
    return (scale / _FINEST).log() / _RATIO


def laplace_mass(q: Tensor, index: Tensor) -> Tensor:
    """Chance of `q` within half a unit under the zero-mean Laplace distribution of scale `index`.

    Scales follow from z alone, so real residuals are mixtures of many scales: after a short
    training their best tables needed 6 % fewer bits than Gaussians and .7 % fewer than these.
    """
    inverse = 2**0.5 / scales(index)
    distance = q.abs()
    below = 0.5 - distance
    tail = 0.5 * torch.exp(below.abs() * -inverse)
    upper = torch.where(below > 0, 1 - tail, tail)
    return upper - 0.5 * torch.exp((0.5 + distance) * -inverse)


def logistic_mass(z: Tensor, location: Tensor, log_scale: Tensor) -> Tensor:
    """Chance of `z` within half a unit under a logistic distribution."""
    centred, inverse = (z - location).abs(), torch.exp(-log_scale)
    return torch.sigmoid((0.5 - centred) * inverse) - torch.sigmoid((-0.5 - centred) * inverse)


def bits(mass: Tensor, symbols: int) -> Tensor:
    """Bits that a table of `symbols` entries needs, given the chance it was made from."""
    least = 1 / TOTAL
    return -torch.log2(mass * (1 - symbols * least) + least)


def laplace_counts() -> Tensor:
    """Counts of -255..255 for each scale index: (64, 511) int64."""
    q = torch.arange(-Q_PEAK, Q_PEAK + 1, dtype=torch.float64)
    index = torch.arange(INDICES, dtype=torch.float64)
    return counts(laplace_mass(q, index[:, None]))


def logistic_counts(location: Tensor, log_scale: Tensor) -> Tensor:
    """Counts of -63..63 for each channel of z: (Cz, 127) int64."""
    z = torch.arange(-Z_PEAK, Z_PEAK + 1, dtype=torch.float64)
    location, log_scale = (t.detach().cpu().double()[:, None] for t in (location, log_scale))
    return counts(logistic_mass(z, location, log_scale))


def dead_zones() -> Tensor:
    """Magnitude below which an encoder codes zero for a residual, .5 and more: (64,) float32.

    A one in place of zero costs bits, most where it is rare. At magnitude x it spares
    x² − (1 − x)² = 2 x − 1 squared steps of error.
    """
    bits_of = -(laplace_counts()[:, Q_PEAK : Q_PEAK + 2] + 1).double().log2()
    threshold = 0.5 + _CAUTION * (bits_of[:, 1] - bits_of[:, 0]) / (2 * _STEP_BITS)
    return threshold.clamp(0.5, 1).float()


def counts(mass: Tensor) -> Tensor:
    """Whole counts in proportion to the rows of `mass` (rows, A); each row sums to 2^24 - A.

    The coder adds one to every count, so that no value is impossible.
    """
    share = mass / mass.sum(1, keepdim=True)
    total = TOTAL - mass.shape[1]
    rows = (share * total).round().long()
    peak = rows.argmax(1, keepdim=True)
    return rows.scatter_add(1, peak, total - rows.sum(1, keepdim=True))


def learned(before: Tensor, seen: Tensor) -> Tensor:
    """Counts (rows, A) that follow how often each value was `seen`, rare rows those `before`."""
    assumed = before.double() / before.sum(1, keepdim=True)
    return counts(seen.double().to(before.device) + _TRUST * assumed)
