"""Memory does not grow with the image: measured on a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from tests.conftest import REPOSITORY

_SCRIPT = """
import json, resource, sys
from resattn.pipelines.super_resolve import super_resolve
super_resolve(sys.argv[1], sys.argv[2], weights=sys.argv[3])
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


def peak_mb(source, output, weights):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(source), str(output), weights],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def make(path, side):
    random = np.random.default_rng(0)
    with rasterio.open(
        path, "w", driver="GTiff", height=side, width=side, count=3, dtype="uint16", tiled=True,
        blockxsize=256, blockysize=256, transform=Affine(10, 0, 3e5, 0, -10, 5e6), crs="EPSG:32633",
        photometric="MINISBLACK",
    ) as file:  # fmt: skip
        for row in range(0, side, 500):
            part = random.integers(0, 4000, (3, 500, side), np.uint16)
            file.write(part, window=Window(0, row, side, 500))
    return path


@pytest.mark.slow
def test_g6_a_raster_of_nine_megapixels_is_enlarged_in_the_memory_of_a_small_one(tmp_path, copying):
    small = peak_mb(make(tmp_path / "s.tif", 500), tmp_path / "s4.tif", copying)
    large = peak_mb(make(tmp_path / "l.tif", 3000), tmp_path / "l4.tif", copying)
    # 12000² × 3 × uint16 are 864 MB; what grows is GDAL's block cache, 64 MB at most.
    assert large < small + 150
    assert large < 1500
    with rasterio.open(tmp_path / "l4.tif") as out, rasterio.open(tmp_path / "l.tif") as given:
        assert out.shape == (12_000, 12_000)
        assert out.bounds == given.bounds
        for row, col in ((0, 0), (1499, 2047), (2990, 2990)):
            block = given.read(window=Window(col, row, 10, 10)).repeat(4, -1).repeat(4, -2)
            found = out.read(window=Window(4 * col, 4 * row, 40, 40))
            np.testing.assert_array_equal(found, block)
