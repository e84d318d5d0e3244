"""Cloud-optimised output: valid by the specification's rules, with honest overviews.

The rules are those of GDAL's COG page: tiled, directories first and in order, no overview larger
than the one before, pixel data of small overviews before large ones. The directories are parsed
with tifffile, a dependency of scikit-image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from affine import Affine

from resattn.io.profile import RasterProfile
from resattn.io.raster import open_raster
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import tiles

HEIGHT, WIDTH = 700, 900
VALUES = np.random.default_rng(0).integers(1000, 1100, (2, HEIGHT, WIDTH), np.uint16)


def write_cog(target: Path, pixels: np.ndarray, valid: np.ndarray | None = None, **fields) -> None:
    resampling = fields.pop("resampling", "average")
    bands, height, width = pixels.shape
    profile = RasterProfile(
        height=height,
        width=width,
        count=bands,
        dtype=str(pixels.dtype),
        block=128,
        crs="EPSG:32632",
        transform=Affine(15, 0, 5e5, 0, -15, 4.6e6),
        has_mask=valid is not None,
        **fields,
    )
    with RasterWriter(target, profile, cog=True, resampling=resampling) as writer:
        for tile in tiles(height, width, 256):
            where = tile.inner.slices
            mask = None if valid is None else valid[where]
            writer.write(tile.inner, pixels[(slice(None), *where)], mask)


def assert_valid_cog(path: Path) -> None:
    with tifffile.TiffFile(path) as file:
        pages = list(file.pages)
        assert pages[0].offset < 300
        offsets = [page.offset for page in pages]
        assert offsets == sorted(offsets)
        assert all(page.is_tiled for page in pages)
        images = [page for page in pages if not page.subfiletype & 4]
        sizes = [page.shape[0] for page in images]
        assert sizes == sorted(sizes, reverse=True)
        starts = [min(page.dataoffsets) for page in images]
        assert starts == sorted(starts, reverse=True)
        assert offsets[-1] < min(starts)
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


@pytest.mark.parametrize("compress", ["none", "deflate", "zstd"])
def test_the_file_is_a_valid_cog_with_the_same_pixels(tmp_path: Path, compress: str) -> None:
    write_cog(
        tmp_path / "a.tif",
        VALUES,
        compress=compress,
        descriptions=("red", "green"),
        tags={"RESATTN_RUN": "1"},
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    assert_valid_cog(tmp_path / "a.tif")
    with open_raster(tmp_path / "a.tif") as raster:
        np.testing.assert_array_equal(raster.read(), VALUES)
        assert raster.info.descriptions == ("red", "green")
        assert raster.info.tags["RESATTN_RUN"] == "1"
        assert raster.info.crs.to_epsg() == 32632
        assert raster.info.transform == Affine(15, 0, 5e5, 0, -15, 4.6e6)
        assert raster.info.block == (128, 128)


def test_nodata_does_not_bleed_into_overviews(tmp_path: Path) -> None:
    pixels = VALUES.copy()
    pixels[:, :, ::2] = 0
    write_cog(tmp_path / "a.tif", pixels, nodata=0)
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as dataset:
        overview = dataset.read()
    assert overview.shape == (2, HEIGHT // 2, WIDTH // 2)
    assert overview.min() >= 1000


def test_masks_shrink_with_their_pixels(tmp_path: Path) -> None:
    valid = np.ones((HEIGHT, WIDTH), bool)
    valid[:300] = False
    pixels = np.where(valid, VALUES, 0).astype(np.uint16)
    write_cog(tmp_path / "a.tif", pixels, valid)
    assert_valid_cog(tmp_path / "a.tif")
    with open_raster(tmp_path / "a.tif") as raster:
        np.testing.assert_array_equal(raster.valid(), valid)
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as dataset:
        mask = dataset.dataset_mask() != 0
        assert not mask[:150].any()
        assert mask[150:].all()
        assert dataset.read()[:, 150:].min() >= 1000


def test_classes_keep_their_values_in_overviews(tmp_path: Path) -> None:
    classes = np.random.default_rng(1).choice(np.array([1, 200], np.uint8), (1, HEIGHT, WIDTH))
    write_cog(tmp_path / "a.tif", classes, resampling="nearest")
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as dataset:
        assert set(np.unique(dataset.read())) == {1, 200}


def test_a_small_image_needs_no_overview(tmp_path: Path) -> None:
    write_cog(tmp_path / "a.tif", VALUES[:, :50, :60])
    assert_valid_cog(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.overviews(1) == []
