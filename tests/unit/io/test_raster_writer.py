"""Writing rasters: what comes back through plain rasterio, and what is refused."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from rasterio.crs import CRS

from resattn.errors import OutputError
from resattn.io.profile import GroundControlPoint, RasterProfile
from resattn.io.raster import open_raster
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import Window, tiles

UTM = {"crs": CRS.from_epsg(32632), "transform": Affine(15, 0, 500_000, 0, -15, 4_600_000)}


def noise(bands: int, height: int, width: int, dtype: str = "uint16") -> np.ndarray:
    values = np.random.default_rng(0).normal(500, 200, (bands, height, width))
    return np.clip(values, 0, 120).astype(dtype) if "8" in dtype else values.astype(dtype)


def profile_of(pixels: np.ndarray, **fields: object) -> RasterProfile:
    bands, height, width = pixels.shape
    return RasterProfile(height=height, width=width, count=bands, dtype=str(pixels.dtype), **fields)


def write(target: Path, pixels: np.ndarray, size: int = 64, **fields: object) -> None:
    options = {key: fields.pop(key) for key in ("cog", "overwrite", "inputs") if key in fields}
    with RasterWriter(target, profile_of(pixels, **fields), **options) as writer:
        for tile in tiles(*pixels.shape[1:], size):
            writer.write(tile.inner, pixels[(slice(None), *tile.inner.slices)])


@pytest.mark.parametrize("compress", ["none", "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "float32", "complex64"])
def test_pixels_come_back(tmp_path: Path, dtype: str, compress: str) -> None:
    pixels = noise(2, 70, 90, dtype)
    write(tmp_path / "a.tif", pixels, compress=compress, block=32, **UTM)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), pixels)
        assert dataset.dtypes == (dtype, dtype)
        assert dataset.block_shapes[0] == (32, 32)
        assert dataset.profile.get("compress", "none") == compress


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.integers(1, 70),
    seed=st.integers(0, 99),
)
def test_windows_may_come_in_any_size_and_order(
    tmp_path: Path, height: int, width: int, size: int, seed: int
) -> None:
    pixels = noise(2, height, width)
    windows = [tile.inner for tile in tiles(height, width, max(size, 6))]
    np.random.default_rng(seed).shuffle(windows)
    with RasterWriter(tmp_path / "a.tif", profile_of(pixels, block=16), overwrite=True) as writer:
        for window in windows:
            writer.write(window, pixels[(slice(None), *window.slices)])
    with open_raster(tmp_path / "a.tif") as raster:
        np.testing.assert_array_equal(raster.read(), pixels)


def test_f12_nan_and_nodata_survive(tmp_path: Path) -> None:
    pixels = noise(1, 20, 20, "float32")
    pixels[0, 3, 4:9] = np.nan
    write(tmp_path / "a.tif", pixels, nodata=float("nan"))
    with open_raster(tmp_path / "a.tif") as raster:
        assert np.isnan(raster.info.nodata[0])
        np.testing.assert_array_equal(raster.read(), pixels)
        assert raster.valid().sum() == 395


def test_a_mask_is_stored_inside_the_file(tmp_path: Path) -> None:
    pixels = noise(3, 50, 60, "uint8")
    valid = np.random.default_rng(1).random((50, 60)) > 0.3
    profile = profile_of(pixels, has_mask=True, block=16, colorinterp=("red", "green", "blue"))
    with RasterWriter(tmp_path / "a.tif", profile) as writer:
        for tile in tiles(50, 60, 23):
            where = tile.inner.slices
            writer.write(tile.inner, pixels[(slice(None), *where)], valid[where])
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() != 0, valid)
        np.testing.assert_array_equal(dataset.read(), pixels)


def test_a_profile_repeats_its_input(make_raster, tmp_path: Path) -> None:
    pixels = noise(4, 30, 40, "uint8")
    source = make_raster(pixels, nodata=0, photometric="RGB", alpha="YES", **UTM)
    with rasterio.open(source, "r+") as dataset:
        dataset.descriptions = ("red", "green", "blue", "opacity")
        dataset.update_tags(SENSOR="OLI", AREA_OR_POINT="Point", EXIF_GPSLatitude="48")
        dataset.update_tags(1, WAVELENGTH="0.65", STATISTICS_MEAN="3")
        dataset.scales, dataset.offsets = (0.5,) * 4, (1.0,) * 4
        dataset.units = ("W",) * 4
    with open_raster(source) as raster:
        before, data = raster.info, raster.read()
    with RasterWriter(tmp_path / "out.tif", RasterProfile.of(before)) as writer:
        writer.write(before.window, data)
    with open_raster(tmp_path / "out.tif") as raster:
        after = raster.info
        np.testing.assert_array_equal(raster.read(), data)
    for name in (
        "crs",
        "transform",
        "nodata",
        "descriptions",
        "colorinterp",
        "scales",
        "offsets",
        "units",
        "photometric",
        "dtype",
    ):
        assert getattr(after, name) == getattr(before, name), name
    assert after.tags["SENSOR"] == "OLI"
    assert after.tags["AREA_OR_POINT"] == "Point"
    assert not any("GPS" in key for key in after.tags)
    assert after.band_tags[0] == {"WAVELENGTH": "0.65"}


def test_f15_control_points_survive(make_raster, tmp_path: Path) -> None:
    points = [
        rasterio.control.GroundControlPoint(row, col, 8 + col, 50 - row, 0)
        for row in (0, 3)
        for col in (0, 4)
    ]
    pixels = noise(1, 4, 5)
    with open_raster(make_raster(pixels, gcps=points, crs="EPSG:4326")) as raster:
        profile = RasterProfile.of(raster.info)
    with RasterWriter(tmp_path / "out.tif", profile) as writer:
        writer.write(Window(0, 0, 4, 5), pixels)
    with open_raster(tmp_path / "out.tif") as raster:
        assert [(p.row, p.col, p.x, p.y) for p in raster.info.gcps] == [
            (p.row, p.col, p.x, p.y) for p in points
        ]
        assert raster.info.gcps_crs == CRS.from_epsg(4326)


@pytest.mark.parametrize("cog", [False, True])
def test_a_colour_profile_survives(make_raster, tmp_path: Path, cog: bool) -> None:
    pixels = noise(3, 20, 30, "uint8")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = base64.b64encode(profile).decode()
    source = make_raster(pixels, photometric="RGB", SOURCE_ICC_PROFILE=text)
    with open_raster(source) as raster:
        assert raster.info.icc == profile
        repeated = replace(RasterProfile.of(raster.info), compress="deflate")
    with RasterWriter(tmp_path / "out.tif", repeated, cog=cog) as writer:
        writer.write(Window(0, 0, 20, 30), pixels)
    with Image.open(tmp_path / "out.tif") as image:
        assert image.info["icc_profile"] == profile


def test_f15_control_points_may_be_of_no_known_system(tmp_path: Path) -> None:
    points = tuple(GroundControlPoint(i, 2 * i, 10.0 + i, 50.0, 0.0, str(i), "") for i in range(4))
    profile = RasterProfile(height=9, width=9, count=1, dtype="uint8", gcps=points)
    with RasterWriter(tmp_path / "a.tif", profile) as writer:
        writer.write(Window(0, 0, 9, 9), noise(1, 9, 9, "uint8"))
    with open_raster(tmp_path / "a.tif") as raster:
        assert [point.x for point in raster.info.gcps] == [10, 11, 12, 13]
        assert raster.info.gcps_crs is None


def test_many_bands_are_stored_apart(tmp_path: Path) -> None:
    pixels = noise(40, 512, 20, "float64")
    write(tmp_path / "a.tif", pixels, size=512)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.interleaving.name == "band"
        np.testing.assert_array_equal(dataset.read(), pixels)


def test_g12_the_same_windows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        write(tmp_path / name, noise(2, 70, 90), block=32)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("name", [b"Z\xfcrich.tif", b"x" * 251 + b".tif", b"a[1]\n*.tif"])
def test_f27_any_output_name_works(tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(b"\xff dir")
    folder.mkdir()
    for where in (tmp_path, folder):
        write(where / os.fsdecode(name), noise(1, 8, 9), cog=True)
        assert (where / os.fsdecode(name)).is_file()
    assert len(list(tmp_path.iterdir())) == 2
    assert len(list(folder.iterdir())) == 1


def test_f19_f20_existing_files_and_inputs_are_kept(make_raster, tmp_path: Path) -> None:
    pixels = noise(1, 8, 9)
    source = make_raster(pixels)
    before = source.read_bytes()
    with pytest.raises(OutputError, match="exists") as exists:
        write(source, pixels)
    with pytest.raises(OutputError, match="is the input") as same:
        write(source, pixels, overwrite=True, inputs=[source])
    assert (exists.value.code, same.value.code) == ("E404", "E403")
    assert source.read_bytes() == before


def test_an_error_in_the_body_leaves_the_old_file(make_raster, tmp_path: Path) -> None:
    source = make_raster(noise(1, 8, 9))
    before = source.read_bytes()

    def interrupted() -> None:
        with RasterWriter(source, profile_of(noise(1, 8, 9)), overwrite=True) as writer:
            writer.write(Window(0, 0, 4, 9), noise(1, 4, 9))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_a_pixel_never_written_is_a_bug_not_a_hole(tmp_path: Path) -> None:
    def partial() -> None:
        with RasterWriter(tmp_path / "a.tif", profile_of(noise(1, 40, 40), block=16)) as writer:
            writer.write(Window(0, 0, 40, 39), noise(1, 40, 39))

    with pytest.raises(ValueError, match="3 of 9 blocks were not written"):
        partial()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("window", "pixels", "words"),
    [
        (Window(0, 0, 4, 4), np.zeros((1, 4, 5), "uint16"), "shape"),
        (Window(0, 0, 4, 4), np.zeros((1, 4, 4), "float32"), "float32"),
        (Window(6, 6, 4, 4), np.zeros((1, 4, 4), "uint16"), "leaves"),
        (Window(0, 1, 8, 2), np.zeros((1, 8, 2), "uint16"), "before"),
        (Window(0, 0, 8, 8), np.zeros((1, 8, 8), "uint16"), "before"),
    ],
)
def test_wrong_windows_are_refused(
    tmp_path: Path, window: Window, pixels: np.ndarray, words: str
) -> None:
    with RasterWriter(tmp_path / "a.tif", profile_of(noise(1, 8, 8))) as writer:
        writer.write(Window(0, 0, 8, 2), noise(1, 8, 2))
        with pytest.raises(ValueError, match=words):
            writer.write(window, pixels)
        writer.write(Window(0, 2, 8, 6), noise(1, 8, 6))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nodata": 70000}, "70000"),
        ({"nodata": 0.5}, r"0\.5"),
        ({"descriptions": ("a", "b")}, "descriptions has 2 entries, not 1"),
        ({"block": 100}, "100"),
    ],
)
def test_impossible_profiles_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        profile_of(noise(1, 8, 8), **fields)


def test_tags_of_any_name_do_no_harm(make_raster, tmp_path: Path) -> None:
    tags = {"bidx": "1", "ns": "x", "self": "y", "": "z", "a=b": "c", "k": "\x01<&\n é" * 99}
    with open_raster(make_raster(noise(1, 8, 8))) as raster:
        info = replace(raster.info, tags=tags, band_tags=(tags,))
    with RasterWriter(tmp_path / "a.tif", RasterProfile.of(info)) as writer:
        writer.write(info.window, noise(1, 8, 8))
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.info.tags["self"] == "y"
        np.testing.assert_array_equal(raster.read(), noise(1, 8, 8))


def test_nodata_that_no_pixel_can_have_is_not_repeated(make_raster) -> None:
    with open_raster(make_raster(noise(1, 8, 8), nodata=9)) as raster:
        info = replace(raster.info, nodata=(-9999.0,))
    assert RasterProfile.of(info).nodata is None
