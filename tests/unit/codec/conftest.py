"""A network that is known by heart, and images with something to see in them."""

from __future__ import annotations

import numpy as np
import pytest

from resattn.codec.network import Network
from tests.dct_codec import SHA256, DctCodec


@pytest.fixture(scope="session")
def network():
    return Network(DctCodec(), "dct", SHA256)


@pytest.fixture
def photo():
    """`photo(bands, height, width, dtype)`: smooth shapes with some noise, over the whole type."""

    def draw(bands=3, height=100, width=140, dtype="uint8", seed=0):
        rng = np.random.default_rng(seed)
        rows, cols = np.mgrid[:height, :width] / 40
        unit = np.stack([np.sin(rows * (b + 1)) * np.cos(cols + b) for b in range(bands)]) / 2.2
        unit = unit + 0.5 + rng.normal(0, 0.02, unit.shape)
        kind = np.dtype(dtype)
        if kind.kind == "f":
            return (unit * 40 - 7).astype(kind)
        limits = np.iinfo(kind)
        span = float(limits.max) - float(limits.min)
        return np.clip(unit * span + limits.min, limits.min, limits.max).astype(kind)

    return draw
