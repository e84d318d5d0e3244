"""Fixtures every test may use; each image a test needs is made here or in the test itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared data folder; the test skips where it is absent."""
    root = Path(os.environ.get("RESATTN_SHARED", REPOSITORY.parent / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"shared data not found at {root}: set RESATTN_SHARED")
    return root / "data"
