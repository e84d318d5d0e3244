"""G5: mutated images end in pixels or in an ItemError, never in anything else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from resattn.io.metadata import Metadata
from tests.faults.goals import Goal
from tests.faults.mutants import how_many, mutant, read_or_refused
from tests.faults.odd_images import ARCHIVE, decide


# rasterio's logger trips over GDAL messages that quote bytes of the file; the error still arrives.
@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_g5_mutated_images_are_read_or_refused(tmp_path: Path, goal: Goal) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        seeds = [archive.read(name) for name in archive.namelist()]
    path, count = tmp_path / "mutant", how_many(800)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        decide(path)

    long_enough = [seed for seed in seeds if len(seed) >= 16]
    read_or_refused(long_enough, count, read, mutant, tmp_path / "failed")
    goal("G5", f"{count} images", injected=count)


def test_g5_mutated_exif_is_edited_or_dropped(tmp_path: Path, goal: Goal) -> None:
    entry = b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x25\x88\x04\0\x01\0\0\0\x26\0\0\0"
    block = b"II*\0\x08\0\0\0\x02\0" + entry + bytes(4) + b"\x01\0" + entry[:12] + bytes(4)

    def read(data: bytes) -> None:
        edited = Metadata(exif=data).for_turned_pixels().exif
        assert edited is None or len(edited) == len(data)

    count = how_many(800)
    read_or_refused([block], count, read, mutant, tmp_path / "failed")
    goal("G5", f"{count} EXIF blocks", injected=count)
