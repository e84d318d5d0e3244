"""Image pairs and oracle readers that several metric tests use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

Image = NDArray[np.float64]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


@pytest.fixture
def make_pair(rng: np.random.Generator) -> Callable[..., tuple[Image, Image]]:
    """Smooth positive reference and a noisy, biased estimate of it."""

    def make(bands: int = 4, height: int = 64, width: int = 64) -> tuple[Image, Image]:
        coarse = rng.uniform(200, 1500, (bands, -(-height // 8), -(-width // 8)))
        reference = np.kron(coarse, np.ones((8, 8)))[:, :height, :width]
        reference = reference + rng.normal(0, 30, reference.shape)
        return 0.9 * reference + rng.normal(20, 40, reference.shape), reference

    return make


class Oracle:
    """Stored fused images and the scores that an independent implementation gave them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.table = json.loads((folder / "oracle.json").read_text())

    def read(self, name: str) -> Image:
        with rasterio.open(self._folder / name) as file:
            return file.read().astype(np.float64)

    def scores(self, scene: str) -> dict[str, dict[str, float]]:
        """Scores by file of a scene."""
        return {name: row for name, row in self.table[scene].items() if name.endswith(".tif")}


@pytest.fixture(scope="session")
def oracle(shared: Path) -> Oracle:
    return Oracle(shared / "pansharpen" / "oracle")
