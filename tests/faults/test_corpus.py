"""G1: odd and broken images from the wild, in one process: no crash, and the decision on record.

The zip holds 157 small files of permissive licence; the shared data has all 772 of the table.
"""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest
import rasterio

from tests.faults.odd_images import ARCHIVE, decide, decisions
from tests.memory import peak_growth

TABLE_MADE_WITH_GDAL = "3.10.3"


def run(folder: Path, names: set[str]) -> None:
    expected = {name: decision for name, decision in decisions() if name in names}
    assert expected.keys() == names
    found = {}
    with peak_growth() as grown_mb:
        for name in sorted(names):
            start = time.process_time()
            found[name] = decide(folder / name)  # anything but an ItemError fails the test
            assert time.process_time() - start < 10, name
        assert grown_mb() < 1200
    if rasterio.__gdal_version__ != TABLE_MADE_WITH_GDAL:
        pytest.skip(f"decisions are on record for GDAL {TABLE_MADE_WITH_GDAL} only")
    changed = {
        name: (expected[name], found[name]) for name in names if found[name] != expected[name]
    }
    assert not changed


def test_g1_f24_the_shipped_odd_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
        names = set(archive.namelist())
    assert len(names) == 157
    run(tmp_path, names)


@pytest.mark.slow
@pytest.mark.shared
def test_g1_f24_all_odd_images(shared: Path) -> None:
    run(shared / "odd_images/files", {name for name, _ in decisions()})
