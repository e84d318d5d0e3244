"""Fixtures every test may use; each image a test needs is made here or in the test itself."""

from __future__ import annotations

import os
from pathlib import Path

# Tests work on small images, where a second thread only costs; subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.shell import resattn

__all__ = ["resattn"]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared data folder; the test skips where it is absent."""
    root = Path(os.environ.get("RESATTN_SHARED", REPOSITORY.parent / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"shared data not found at {root}: set RESATTN_SHARED")
    return root / "data"
