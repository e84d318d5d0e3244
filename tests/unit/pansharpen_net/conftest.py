"""The scene most tests here share."""

from __future__ import annotations

import pytest
from net_scenes import Sample, make


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make()
