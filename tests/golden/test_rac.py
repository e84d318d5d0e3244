"""Files of version 1 are read for ever, to the same integers and to the same picture."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from resattn.io.image import read_image
from resattn.pipelines.compress_networks import Networks
from resattn.pipelines.decompress import decompress
from resattn.pipelines.rac import describe
from resattn.pipelines.rac_verify import verify
from tests.golden.rac.make import HERE, METADATA, WEIGHTS


def read(path):
    with rasterio.open(path) as dataset:
        # What made the file has a version in it; test_provenance.py looks at that.
        tags = {k: v for k, v in dataset.tags().items() if not k.startswith("RESATTN_")}
        return dataset.read(), dataset.crs, dataset.transform, dataset.nodata, tags


@pytest.mark.parametrize("name", ["photo", "raster", "exact"])
def test_integers_are_the_ones_that_were_coded(name):
    weights = "" if name == "exact" else str(WEIGHTS)
    found = verify(HERE / f"{name}.rac", Networks(weights, "cpu", "fp32"))
    assert found.by_content
    assert found.units == {"photo": 2, "raster": 18, "exact": 2}[name]


def test_each_kind_of_unit_is_among_them():
    kinds = [describe(HERE / f"{name}.rac")["units"] for name in ("photo", "raster", "exact")]
    assert all(sum(row[kind] for row in kinds) for kind in ("network", "exact", "constant"))


@pytest.mark.parametrize("name", ["photo", "exact"])
def test_photographs_decode_to_the_stored_picture(name, tmp_path):
    weights = "" if name == "exact" else str(WEIGHTS)
    decompress(HERE / f"{name}.rac", tmp_path / "a.png", weights=weights)
    found, expected = read_image(tmp_path / "a.png"), read_image(HERE / f"{name}.png")
    difference = np.abs(found.pixels.astype(int) - expected.pixels)
    assert difference.max() <= (0 if name == "exact" else 1)
    np.testing.assert_array_equal(found.alpha, expected.alpha)
    assert found.info.metadata == METADATA


def test_rasters_decode_to_the_stored_samples_and_place(tmp_path):
    decompress(HERE / "raster.rac", tmp_path / "a.tif", weights=str(WEIGHTS))
    found, expected = read(tmp_path / "a.tif"), read(HERE / "raster.tif")
    assert found[1:] == expected[1:]
    np.testing.assert_array_equal(found[0] == 0, expected[0] == 0)
    step = np.ptp(expected[0].astype(int)) / 255  # of an 8-bit sample
    assert np.abs(found[0].astype(int) - expected[0]).max() <= step
