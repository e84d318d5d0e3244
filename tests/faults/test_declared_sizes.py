"""F5: a small `.rac` file that claims a large picture never gets more than twice its size.

The address space of the command is limited, which counts the memory of torch and C libraries too.
"""

from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path

import numpy as np
import pytest

from resattn.codec.container import front
from resattn.codec.files import open_rac
from resattn.io.image import write_image
from resattn.pipelines.compress import compress
from tests.faults.forked import attempt

SIDE = 8192
DECLARED_MB = 3 * SIDE**2 / 2**20
PAYLOAD = bytes(400)
"""Decodes for ever: a stream is followed by zeros without end, and these are some more."""


@pytest.fixture(scope="module")
def claiming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tile of 8192 × 8192 out of 400 bytes, with sound checksums."""
    folder = tmp_path_factory.mktemp("claiming")
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    write_image(folder / "a.png", noise)
    compress(folder / "a.png", folder / "a.rac", quality=20, threads=1)
    with open_rac(folder / "a.rac") as file:
        head = dataclasses.replace(file.head, height=SIDE, width=SIDE, tile=SIDE)
        index = file.layout.index.copy()
    index["length"], index["crc"] = len(PAYLOAD), zlib.crc32(PAYLOAD)
    (folder / "a.rac").write_bytes(front(head, {}, index) + PAYLOAD)
    return folder / "a.rac"


def test_f5_a_claim_is_refused_within_twice_its_size(claiming, tmp_path, goal) -> None:
    (tmp_path / "none").mkdir()
    line = ["decompress", str(claiming), "-o", str(tmp_path / "out" / "a.png"), "--threads", "1"]
    job = {"line": line, "out": str(tmp_path / "out"), "whole": str(tmp_path / "none")}
    found = attempt("memory", {"decompress": job}, round(2 * DECLARED_MB))
    assert found["decompress"] == [[round(2 * DECLARED_MB), "E301", True]]
    goal("G5", f"{claiming.stat().st_size} bytes that claim {SIDE}²: refused", injected=1)
