"""G5: mutated images end in pixels or in an ItemError, never in anything else.

A bounded run by default; RESATTN_FUZZ=100000 makes it a long one.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from resattn.io.metadata import Metadata
from tests.faults.odd_images import ARCHIVE, decide

MUTANTS = int(os.environ.get("RESATTN_FUZZ", "800"))
INTERESTING = np.array([0, 1, 127, 128, 255], np.uint8)


def mutant(data: bytes, random: np.random.Generator) -> bytes:
    """The file with a few bytes changed, a piece repeated or left out, or its end cut."""
    changed = np.frombuffer(data, np.uint8).copy()
    places = random.integers(0, len(changed), random.integers(1, 9))
    kind = random.integers(5)
    if kind == 0:
        changed[places] ^= np.uint8(1) << random.integers(0, 8, len(places)).astype(np.uint8)
    elif kind == 1:
        changed[places] = random.choice(INTERESTING, len(places))
    elif kind == 2:
        start, stop = sorted((int(places[0]), int(places[-1])))
        changed = np.concatenate([changed[:stop], changed[start:]])
    elif kind == 3:
        start, stop = sorted((int(places[0]), int(places[-1])))
        changed = np.concatenate([changed[:start], changed[stop:]])
    else:
        head = random.integers(4, min(64, len(changed)) + 1)  # headers are where parsers live
        changed[random.integers(4, head + 1, 2) - 1] = random.choice(INTERESTING, 2)
    return changed.tobytes()


# rasterio's logger trips over GDAL messages that quote bytes of the file; the error still arrives.
@pytest.mark.timeout(0 if MUTANTS > 1000 else 300)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_g5_mutated_images_are_read_or_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        seeds = [archive.read(name) for name in archive.namelist()]
    seeds = [seed for seed in seeds if len(seed) >= 16]
    random = np.random.default_rng(0)
    path = tmp_path / "mutant"
    for number in range(MUTANTS):
        data = mutant(seeds[number % len(seeds)], random)
        path.write_bytes(data)
        try:
            decide(path)
        except BaseException:
            kept = tmp_path / f"failed-{number}"
            kept.write_bytes(data)
            raise


def test_g5_mutated_exif_is_edited_or_dropped() -> None:
    entry = b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x25\x88\x04\0\x01\0\0\0\x26\0\0\0"
    block = b"II*\0\x08\0\0\0\x02\0" + entry + bytes(4) + b"\x01\0" + entry[:12] + bytes(4)
    random = np.random.default_rng(1)
    for _ in range(MUTANTS):
        data = mutant(block, random)
        edited = Metadata(exif=data).for_turned_pixels().exif
        assert edited is None or len(edited) == len(data)
