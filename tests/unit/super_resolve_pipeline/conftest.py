"""Weights made on the spot: one set that copies pixels, one that is random."""

from __future__ import annotations

import pytest
import torch

from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.weights.export import Origin, pack


def save(path, scale, *, copies):
    torch.manual_seed(scale)
    config = GatedSrConfig(scale=scale, dim=8, blocks=1)
    model = GatedSr(config)
    if copies:
        # Without a correction the model repeats each pixel, to the last bit.
        torch.nn.init.zeros_(model.tail.weight)
        torch.nn.init.zeros_(model.tail.bias)
    origin = Origin(
        f"super-resolve.test.x{scale}", "super-resolve", "gated-sr", config.to_dict(),
        data="none", data_licence="none", licence="CC0-1.0", command="none",
    )  # fmt: skip
    path.write_bytes(pack(model.state_dict(), origin, torch.float32)[1])
    return str(path)


@pytest.fixture(scope="session")
def copying(tmp_path_factory):
    """×4 weights whose result is every pixel sixteen times."""
    return save(tmp_path_factory.mktemp("weights") / "copy.safetensors", 4, copies=True)


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """×4 weights whose result depends on everything in reach."""
    return save(tmp_path_factory.mktemp("weights") / "random.safetensors", 4, copies=False)
