"""Fixtures every test may use; each image a test needs is made here or in the test itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Tests work on small images, where a second thread only costs; subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from tests.faults.goals import goal
from tests.shell import resattn

__all__ = ["goal", "resattn"]

REPOSITORY = Path(__file__).resolve().parents[1]

# Wall-clock deadlines say nothing on a shared machine.
# The same examples on every run, so that a failure is a change's; RESATTN_FUZZ=1 draws new ones.
settings.register_profile("resattn", deadline=None, derandomize="RESATTN_FUZZ" not in os.environ)
settings.load_profile("resattn")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared data folder; the test skips where it is absent."""
    root = Path(os.environ.get("RESATTN_SHARED", REPOSITORY.parent / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"shared data not found at {root}: set RESATTN_SHARED")
    return root / "data"


def _stay_at_home(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        address = arguments[0] if event == "socket.getaddrinfo" else arguments[-1]
        host = address[0] if isinstance(address, tuple) else address
        # A string is a UNIX socket, or a host to look up.
        if isinstance(address, tuple) or event == "socket.getaddrinfo":
            assert str(host) in ("", "None", "localhost", "::1") or str(host).startswith("127."), (
                f"a test reaches for {host}"
            )


sys.addaudithook(_stay_at_home)
