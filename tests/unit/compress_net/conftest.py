from __future__ import annotations

import pytest
import torch
from net_cases import random_net


@pytest.fixture(scope="session")
def net():
    """A small frozen network whose every part has random weights."""
    return random_net()


@pytest.fixture
def image():
    """Two smooth pictures with an edge, (2, 3, 64, 128)."""
    coarse = torch.rand(2, 3, 8, 16, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)
    smooth[:, :, :, 70:] = 1 - smooth[:, :, :, 70:]
    return smooth
