"""Reading rasters: pixels, validity and description against what was put into the file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from resattn.errors import ItemError
from resattn.io.raster import open_raster
from resattn.io.sniff import Limits
from resattn.tiling import Window

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "complex64"]


def ramp(bands: int, height: int, width: int, dtype: str = "uint16") -> np.ndarray:
    return np.arange(bands * height * width).reshape(bands, height, width).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pixels_come_in_their_own_type(make_raster, dtype: str) -> None:
    pixels = ramp(2, 5, 7, dtype)
    with open_raster(make_raster(pixels)) as raster:
        found = raster.read()
        assert raster.info.dtype == dtype
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, pixels)


def test_windows_and_bands_select(make_raster) -> None:
    pixels = ramp(3, 9, 11)
    with open_raster(make_raster(pixels)) as raster:
        found = raster.read(Window(2, 3, 4, 5), bands=[3, 1])
    np.testing.assert_array_equal(found, pixels[[2, 0], 2:6, 3:8])


@pytest.mark.parametrize("window", [Window(-1, 0, 3, 3), Window(0, 8, 3, 4), Window(90, 0, 1, 1)])
def test_a_window_over_the_border_is_refused_unless_asked(make_raster, window: Window) -> None:
    with open_raster(make_raster(ramp(1, 9, 11))) as raster:
        with pytest.raises(ValueError, match="leaves the raster of 9×11"):
            raster.read(window)
        with pytest.raises(ValueError, match="leaves the raster of 9×11"):
            raster.valid(window)


def test_the_border_is_repeated_or_filled_on_request(make_raster) -> None:
    pixels = ramp(2, 4, 5) + 1
    window = Window(-2, 3, 5, 4)
    with open_raster(make_raster(pixels, nodata=9)) as raster:
        edge = raster.read(window, outside="edge")
        filled = raster.read(window, outside="nodata")
        valid = raster.valid(window, outside="edge")
    margins = ((2, 0), (0, 2))
    inside = pixels[:, :3, 3:]
    np.testing.assert_array_equal(edge, np.pad(inside, ((0, 0), *margins), mode="edge"))
    np.testing.assert_array_equal(filled, np.pad(inside, ((0, 0), *margins), constant_values=9))
    assert valid[2:, :2].sum() == 6 - (inside == 9).any(axis=0).sum()
    assert not valid[:2].any()
    assert not valid[:, 2:].any()


@pytest.mark.parametrize("bands", [[], [0], [3], [1, -1]])
def test_bands_that_do_not_exist_are_refused(make_raster, bands: list[int]) -> None:
    with (
        open_raster(make_raster(ramp(2, 4, 4))) as raster,
        pytest.raises(ValueError, match="with 2"),
    ):
        raster.read(bands=bands)


def test_f12_nodata_nan_and_infinity_are_not_valid(make_raster) -> None:
    pixels = np.ones((2, 2, 4), np.float32)
    pixels[0, 0] = [-9999, np.nan, np.inf, 1]
    pixels[1, 1, 3] = -9999
    with open_raster(make_raster(pixels, nodata=-9999)) as raster:
        together = raster.valid()
        apart = raster.valid(per_band=True)
    np.testing.assert_array_equal(together, [[0, 0, 0, 1], [1, 1, 1, 0]])
    np.testing.assert_array_equal(apart[0], [[0, 0, 0, 1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(apart[1], [[1, 1, 1, 1], [1, 1, 1, 0]])


def test_f12_a_nodata_value_rounded_to_float32_is_still_found(make_raster) -> None:
    lowest = float(np.finfo(np.float32).min)
    pixels = np.array([[[lowest, 1]]], np.float32)
    with open_raster(make_raster(pixels, nodata=lowest)) as raster:
        np.testing.assert_array_equal(raster.valid(), [[False, True]])


def test_f12_a_nodata_value_no_pixel_can_have_hides_nothing(make_raster, tmp_path: Path) -> None:
    path = make_raster(np.zeros((1, 2, 2), np.uint8))
    sidecar = tmp_path / "scene.tif.aux.xml"  # how such a value comes into a uint8 file
    sidecar.write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>-9999</NoDataValue>'
        "</PAMRasterBand></PAMDataset>"
    )
    with open_raster(path) as raster:
        assert raster.valid().all()


def test_f12_masks_inside_the_file_and_alpha_bands_count(make_raster) -> None:
    hole = np.ones((4, 5), bool)
    hole[1:3, 2] = False
    with open_raster(make_raster(ramp(3, 4, 5, "uint8"), mask=hole)) as raster:
        assert raster.info.has_mask
        np.testing.assert_array_equal(raster.valid(), hole)
        np.testing.assert_array_equal(raster.valid(Window(1, 1, 2, 3)), hole[1:3, 1:4])
    rgba = ramp(4, 4, 5, "uint8")
    rgba[3] = np.where(hole, 255, 0)
    path = make_raster(rgba, "rgba.tif", photometric="RGB", alpha="YES")
    with open_raster(path) as raster:
        assert raster.info.colorinterp == ("red", "green", "blue", "alpha")
        np.testing.assert_array_equal(raster.valid(bands=[1, 2, 3]), hole)


def test_f12_nodata_counts_beside_a_mask(make_raster) -> None:
    pixels = np.array([[[0, 1, 2, 3]]], np.uint8)
    path = make_raster(pixels, mask=np.array([[True, True, False, True]]), nodata=0)
    with open_raster(path) as raster:
        np.testing.assert_array_equal(raster.valid(), [[False, True, False, True]])


def test_everything_an_output_must_keep_is_described(make_raster) -> None:
    transform = Affine(30, 0, 500_000, 0, -30, 4_600_000)
    path = make_raster(
        ramp(2, 40, 50),
        crs="EPSG:32632",
        transform=transform,
        nodata=7,
        tiled=True,
        blockxsize=32,
        blockysize=16,
    )
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("blue", None)
        dataset.update_tags(ORIGIN="test")
        dataset.update_tags(1, WAVELENGTH="0.48")
        dataset.scales, dataset.offsets = (0.1, 1), (5, 0)
        dataset.units = ("W", "")
    with open_raster(path) as raster:
        info = raster.info
    assert (info.height, info.width, info.count, info.format) == (40, 50, 2, "tiff")
    assert info.crs == CRS.from_epsg(32632)
    assert info.transform == transform
    assert info.nodata == (7, 7)
    assert info.block == (16, 32)
    assert info.descriptions == ("blue", None)
    assert info.tags["ORIGIN"] == "test"
    assert info.band_tags[0]["WAVELENGTH"] == "0.48"
    assert (info.scales, info.offsets) == ((0.1, 1), (5, 0))
    assert info.georeferenced
    assert not info.has_mask
    assert info.pages == 1
    assert info.path == path


def test_f15_control_points_and_no_georeference(make_raster) -> None:
    points = [
        rasterio.control.GroundControlPoint(row, col, 8 + col, 50 - row, 0)
        for row in (0, 3)
        for col in (0, 4)
    ]
    path = make_raster(ramp(1, 4, 5), gcps=points, crs="EPSG:4326")
    with open_raster(path) as raster:
        assert len(raster.info.gcps) == 4
        assert raster.info.gcps_crs == CRS.from_epsg(4326)
    with open_raster(make_raster(ramp(1, 4, 5), "none.tif")) as raster:
        assert not raster.info.georeferenced
        assert raster.info.crs is None


@pytest.mark.parametrize(
    "options", [{"ENDIANNESS": "BIG"}, {"BIGTIFF": "YES"}, {"interleave": "band"}]
)
def test_f15_unusual_layouts_read_the_same(make_raster, options: dict[str, str]) -> None:
    pixels = ramp(3, 20, 30)
    with open_raster(make_raster(pixels, **options)) as raster:
        np.testing.assert_array_equal(raster.read(), pixels)


def test_f15_south_up_rasters_keep_their_sign(make_raster) -> None:
    transform = Affine(1, 0, -180, 0, 1, -90)
    with open_raster(make_raster(ramp(1, 4, 5), crs="EPSG:4326", transform=transform)) as raster:
        assert raster.info.transform.e == 1


def test_f6_a_block_too_large_to_hold_is_refused(make_raster) -> None:
    path = make_raster(ramp(2, 64, 64), tiled=True, blockxsize=64, blockysize=64)
    strict = open_raster(path, limits=Limits(block_bytes=64 * 64 * 4 - 1))
    with pytest.raises(ItemError, match="64×64") as caught, strict:
        pass
    assert caught.value.code == "E305"
    with open_raster(path, limits=Limits(block_bytes=64 * 64 * 4)) as raster:
        assert raster.read().shape == (2, 64, 64)


@pytest.mark.parametrize(
    "name",
    [b"a b.tif", b"line\nbreak.tif", b"GTIFF_DIR:1:x.tif", b"Z\xfcrich.tif", b"x" * 251 + b".tif"],
)
def test_f27_rasters_of_any_name_open(
    make_raster, tmp_path: Path, name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = ramp(1, 4, 5)
    made = make_raster(pixels)
    made.rename(tmp_path / os.fsdecode(name))
    monkeypatch.chdir(tmp_path)
    with open_raster(os.fsdecode(name)) as raster:
        np.testing.assert_array_equal(raster.read(), pixels)


def test_f27_a_folder_that_is_not_utf8(make_raster, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff\xfe")
    folder.mkdir()
    made = make_raster(ramp(1, 4, 5))
    made.rename(folder / "a.tif")
    with open_raster(folder / "a.tif") as raster:
        assert raster.read().shape == (1, 4, 5)


def test_two_rasters_may_be_open_in_any_order(make_raster) -> None:
    first = open_raster(make_raster(ramp(1, 4, 4), "a.tif"))
    second = open_raster(make_raster(ramp(1, 5, 5), "b.tif"))
    one, two = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    assert one.info.height == 4
    assert two.read().shape == (1, 5, 5)
    second.__exit__(None, None, None)


def test_threads_may_share_a_raster(make_raster) -> None:
    pixels = ramp(2, 200, 300, "float32")
    windows = [Window(row, col, 40, 50) for row in range(0, 160, 8) for col in range(0, 250, 10)]
    with (
        open_raster(make_raster(pixels, compress="deflate", nodata=5)) as raster,
        ThreadPoolExecutor(4) as pool,
    ):
        read = list(pool.map(raster.read, windows))
        valid = list(pool.map(raster.valid, windows))
    for window, found, real in zip(windows, read, valid, strict=True):
        np.testing.assert_array_equal(found, pixels[(slice(None), *window.slices)])
        np.testing.assert_array_equal(real, (found != 5).all(axis=0))
