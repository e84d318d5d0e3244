"""Rasters in, rasters out: pixels, types, holes, georeference and names."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from rasterio.transform import Affine

from resattn.errors import ItemError, OutputError
from resattn.io.image import read_image
from resattn.pipelines.super_resolve import super_resolve

RGB = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
RANDOM = np.random.default_rng(5)


def write(path, pixels, *, mask=None, interp=None, **profile):
    count, height, width = pixels.shape
    profile = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)} | profile
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count,
        dtype=pixels.dtype, **{"photometric": "RGB" if interp else "MINISBLACK"} | profile,
    ) as file:  # fmt: skip
        file.colorinterp = interp or [ColorInterp.gray] * count
        file.write(pixels)
        if mask is not None:
            file.write_mask(mask)
    return path


def repeat(pixels, factor=4):
    return pixels.repeat(factor, -2).repeat(factor, -1)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_values_of_every_type_and_number_of_bands_come_back(tmp_path, copying, dtype, bands):
    pixels = RANDOM.integers(-3000 if dtype[0] in "if" else 0, 255 if dtype == "uint8" else 30_000,
                             (bands, 13, 9)).astype(dtype)  # fmt: skip
    source = write(tmp_path / "in.tif", pixels)
    super_resolve(source, tmp_path / "out.tif", weights=copying)
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.dtypes == (dtype,) * bands
        exact = dtype in ("uint8", "uint16", "int16")
        np.testing.assert_allclose(out.read(), repeat(pixels), rtol=0, atol=0 if exact else 0.01)


def corner_of(file, across, down):
    t, x, y = file.transform, across * file.width, down * file.height
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def test_the_corners_stay_where_they_were(tmp_path, copying):
    transform = Affine(2.7, 0.3, 1234.5, -0.4, -3.1, 987_654.25)
    source = write(tmp_path / "in.tif", np.zeros((1, 37, 53), np.uint8), transform=transform)
    for scale in (1.0, 2.5, 3.3, 4.0):
        path = tmp_path / f"x{scale}.tif"
        super_resolve(source, path, weights=copying, scale=scale)
        with rasterio.open(path) as out, rasterio.open(source) as given:
            assert out.shape == (int(37 * scale + 0.5), int(53 * scale + 0.5))
            assert out.crs == given.crs
            for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
                here = corner_of(out, *corner)
                assert here == pytest.approx(corner_of(given, *corner), rel=1e-15, abs=1e-9)
    with rasterio.open(tmp_path / "x4.0.tif") as out:
        assert out.transform == Affine(2.7 / 4, 0.3 / 4, 1234.5, -0.4 / 4, -3.1 / 4, 987_654.25)


def test_names_tags_units_and_control_points_are_kept(tmp_path, copying):
    source = write(tmp_path / "in.tif", np.zeros((2, 8, 8), np.int16), nodata=-1)
    with rasterio.open(source, "r+") as file:
        file.descriptions = ("red edge", "height")
        file.units = ("", "m")
        file.scales, file.offsets = (0.5, 2.0), (1.0, 0.0)
        file.update_tags(SENSOR="X")
        file.update_tags(2, DATE="2026")
    super_resolve(source, tmp_path / "out.tif", weights=copying)
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.descriptions == ("red edge", "height")
        assert (out.scales, out.offsets) == ((0.5, 2.0), (1.0, 0.0))
        assert out.units == ("", "m") or out.units == (None, "m")
        assert out.nodata == -1
        assert out.tags()["SENSOR"] == "X"
        assert out.tags(2)["DATE"] == "2026"
        assert out.tags()["RESATTN_COMMAND"] == "super-resolve"
        assert len(out.tags()["RESATTN_WEIGHTS_SHA256"]) == 64


def test_control_points_and_polynomials_move_with_the_grid(tmp_path, copying):
    source = tmp_path / "in.tif"
    points = [GroundControlPoint(0, 0, 10, 50), GroundControlPoint(8, 0, 10, 49),
              GroundControlPoint(0, 8, 11, 50), GroundControlPoint(3, 5, 10.5, 49.5)]  # fmt: skip
    one = [1.0, *[0.0] * 19]
    rpcs = RPC(height_off=0, height_scale=1, lat_off=0, lat_scale=1, line_den_coeff=one,
               line_num_coeff=one, line_off=3.5, line_scale=4, long_off=0, long_scale=1,
               samp_den_coeff=one, samp_num_coeff=one, samp_off=1.5, samp_scale=6)  # fmt: skip
    with rasterio.open(source, "w", driver="GTiff", height=8, width=8, count=1, dtype="uint8",
                       gcps=points, crs="EPSG:4326", rpcs=rpcs) as file:  # fmt: skip
        file.write(np.zeros((1, 8, 8), np.uint8))
    super_resolve(source, tmp_path / "out.tif", weights=copying, scale=2)
    with rasterio.open(tmp_path / "out.tif") as out:
        found, crs = out.gcps
        assert [(p.row, p.col, p.x, p.y) for p in found] == [
            (2 * p.row, 2 * p.col, p.x, p.y) for p in points
        ]
        assert crs == "EPSG:4326"
        # The centre of the middle of the image, 3.5, is 7.5 on the finer grid.
        assert (out.rpcs.line_off, out.rpcs.line_scale) == (7.5, 8)
        assert (out.rpcs.samp_off, out.rpcs.samp_scale) == (3.5, 12)


def test_a_hole_stays_a_hole_and_colours_nothing(tmp_path, random_weights):
    pixels = RANDOM.integers(1000, 2000, (3, 40, 40)).astype(np.uint16)
    holes = np.zeros((40, 40), np.bool_)
    holes[10:25, 12:31] = True
    outs = []
    for value in (0, 65_535):  # black or white: it must not matter what a hole is made of
        marked = pixels.copy()
        marked[:, holes] = value
        source = write(tmp_path / f"in{value}.tif", marked, nodata=value)
        super_resolve(source, tmp_path / f"out{value}.tif", weights=random_weights)
        with rasterio.open(tmp_path / f"out{value}.tif") as out:
            outs.append(out.read())
            assert out.nodata == value
            np.testing.assert_array_equal(out.read_masks(1) == 0, repeat(holes))
            assert (outs[-1][:, repeat(holes)] == value).all()
    outside = ~repeat(holes)
    np.testing.assert_array_equal(outs[0][:, outside], outs[1][:, outside])


def test_holes_differ_by_band(tmp_path, copying):
    pixels = RANDOM.integers(10, 99, (2, 12, 12)).astype(np.int16)
    pixels[0, :6], pixels[1, :, 6:] = -1, -1
    super_resolve(write(tmp_path / "in.tif", pixels, nodata=-1), tmp_path / "out.tif",
                  weights=copying)  # fmt: skip
    with rasterio.open(tmp_path / "out.tif") as out:
        np.testing.assert_array_equal(out.read() == -1, repeat(pixels == -1))
        real = repeat(pixels != -1)
        np.testing.assert_array_equal(out.read()[real], repeat(pixels)[real])


def test_a_real_pixel_never_takes_the_nodata_value(tmp_path, copying):
    # Reduced from ×4 to ×2, a step overshoots: real pixels would become 0, which is nodata.
    pixels = np.full((1, 16, 16), 1, np.uint8)
    pixels[:, 8:] = 250
    source = write(tmp_path / "in.tif", pixels, nodata=0)
    super_resolve(source, tmp_path / "out.tif", weights=copying, scale=2.3)
    with rasterio.open(tmp_path / "out.tif") as out:
        assert (out.read() > 0).all()


def test_nan_is_a_hole_even_where_none_is_declared(tmp_path, random_weights):
    pixels = RANDOM.random((1, 30, 30)).astype(np.float32)
    pixels[0, 5:9, 5:9] = np.nan
    pixels[0, 20, 20] = np.inf
    source = write(tmp_path / "in.tif", pixels)
    super_resolve(source, tmp_path / "out.tif", weights=random_weights)
    with rasterio.open(tmp_path / "out.tif") as out:
        np.testing.assert_array_equal(np.isnan(out.read()), repeat(~np.isfinite(pixels)))


@pytest.mark.parametrize(("dtype", "value"), [("float32", -3.4e38), ("uint16", 65_535)])
def test_a_value_far_beyond_all_others_is_copied_and_colours_nothing(
    tmp_path, random_weights, dtype, value
):
    pixels = RANDOM.integers(100, 200, (1, 100, 100)).astype(dtype)
    far = np.zeros((100, 100), np.bool_)
    far[40:42, 50:53] = True
    outs = []
    for number, inside in enumerate((value, 150)):  # declared by nobody; or not there at all
        marked = np.where(far, pixels.dtype.type(inside), pixels)
        source = write(tmp_path / f"{number}.tif", marked)
        path = tmp_path / f"out{number}.tif"
        super_resolve(source, path, weights=random_weights, range="100,200")
        with rasterio.open(path) as out:
            outs.append(out.read())
    assert (outs[0][:, repeat(far)] == pixels.dtype.type(value)).all()
    # Around it things look as if it were filled from there: no trace of its size.
    assert np.abs(outs[0][:, ~repeat(far)].astype(float) - outs[1][:, ~repeat(far)]).max() < 60


def test_a_mask_inside_the_file_is_enlarged(tmp_path, copying):
    pixels = RANDOM.integers(0, 255, (3, 20, 20), np.uint8)
    mask = np.ones((20, 20), np.bool_)
    mask[3:7, 5:11] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = write(tmp_path / "in.tif", pixels, mask=mask)
    super_resolve(source, tmp_path / "out.tif", weights=copying)
    with rasterio.open(tmp_path / "out.tif") as out:
        np.testing.assert_array_equal(out.dataset_mask() != 0, repeat(mask))
        np.testing.assert_array_equal(out.read()[:, repeat(mask)], repeat(pixels)[:, repeat(mask)])


def test_an_image_of_nothing_but_nodata_is_one_again(tmp_path, random_weights):
    source = write(tmp_path / "in.tif", np.full((2, 9, 9), -9999, np.float32), nodata=-9999)
    super_resolve(source, tmp_path / "out.tif", weights=random_weights)
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.shape == (36, 36)
        assert (out.read() == -9999).all()


def test_transparency_is_enlarged_as_a_band(tmp_path, copying):
    pixels = RANDOM.integers(1, 255, (4, 15, 15), np.uint8)
    pixels[3, :5] = 0
    interp = [*RGB, ColorInterp.alpha]
    source = write(tmp_path / "in.tif", pixels, interp=interp)
    super_resolve(source, tmp_path / "out.tif", weights=copying)
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.colorinterp == tuple(interp)
        np.testing.assert_array_equal(out.read(4), repeat(pixels[3]))
        np.testing.assert_array_equal(out.read()[:3, 20:], repeat(pixels)[:3, 20:])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (17, 5)])
def test_the_smallest_images_work(tmp_path, random_weights, shape):
    pixels = RANDOM.integers(0, 255, (3, *shape), np.uint8)
    for scale in (1.0, 3.7, 4.0):
        super_resolve(write(tmp_path / "in.tif", pixels), tmp_path / "out.tif",
                      weights=random_weights, scale=scale, overwrite=True)  # fmt: skip
        with rasterio.open(tmp_path / "out.tif") as out:
            assert out.shape == tuple(int(np.floor(n * scale + 0.5)) for n in shape)


@pytest.mark.parametrize("options", [{}, {"scale": 2.7}, {"ensemble": True, "scale": 2.0}])
def test_the_tile_changes_no_byte(tmp_path, random_weights, options):
    pixels = RANDOM.integers(0, 4000, (2, 265, 60)).astype(np.uint16)
    pixels[:, 30:60, 40:55] = 0
    source = write(tmp_path / "in.tif", pixels, nodata=0)
    made = set()
    for tile, ram in ((0, "2GB"), (128, "2GB"), (100_000, "2GB"), (100_000, "1MB")):
        path = tmp_path / f"{tile}-{ram}.tif"
        super_resolve(source, path, weights=random_weights, tile=tile, ram=ram, **options)
        with rasterio.open(path) as out:
            made.add(out.read().tobytes())
    assert len(made) == 1


def test_many_bands_are_enlarged_in_small_cells(tmp_path, copying):
    pixels = RANDOM.integers(0, 999, (200, 24, 24)).astype(np.uint16)
    result = super_resolve(write(tmp_path / "in.tif", pixels), tmp_path / "out.tif",
                           weights=copying)  # fmt: skip
    assert result.facts["cell"] == 512
    with rasterio.open(tmp_path / "out.tif") as out:
        np.testing.assert_array_equal(out.read([1, 77, 200]), repeat(pixels)[[0, 76, 199]])


def test_a_colour_image_has_one_range_and_other_bands_have_their_own(tmp_path, copying):
    pixels = np.stack([RANDOM.integers(lo, lo + 50, (30, 30)) for lo in (0, 500, 900)])
    source = write(tmp_path / "in.tif", pixels.astype(np.uint16))
    own = super_resolve(source, tmp_path / "a.tif", weights=copying).facts
    rgb = write(tmp_path / "rgb.tif", pixels.astype(np.uint16), interp=RGB)
    shared = super_resolve(rgb, tmp_path / "b.tif", weights=copying).facts
    assert len(set(own["black"])) == 3
    assert shared["black"] == [shared["black"][0]] * 3
    assert shared["white"][0] > 900


def test_the_range_can_be_given(tmp_path, copying):
    source = write(tmp_path / "in.tif", np.ones((1, 5, 5), np.uint16))
    for text, white in (("11bit", 2047), ("0,10000", 10_000), ("type", 65_535)):
        done = super_resolve(source, tmp_path / "out.tif", weights=copying, range=text,
                             overwrite=True)  # fmt: skip
        assert done.facts["white"] == [white]


def test_a_cog_is_written_on_request(tmp_path, copying):
    source = write(tmp_path / "in.tif", np.ones((1, 300, 300), np.uint8))
    super_resolve(source, tmp_path / "out.tif", weights=copying, cog=True)
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert out.overviews(1)


def test_colour_tables_and_complex_numbers_are_refused(tmp_path, copying):
    classes = write(tmp_path / "classes.tif", np.ones((1, 5, 5), np.uint8))
    with rasterio.open(classes, "r+") as file:
        file.write_colormap(1, {1: (255, 0, 0, 255)})
    wave = write(tmp_path / "wave.tif", np.ones((1, 5, 5), np.complex64))
    for path, words in ((classes, "colour table"), (wave, "complex")):
        with pytest.raises(ItemError, match=words) as refused:
            super_resolve(path, tmp_path / "out.tif", weights=copying)
        assert refused.value.code == "E310"
        assert not (tmp_path / "out.tif").exists()


def test_a_colour_profile_is_kept_from_tiff_to_tiff(tmp_path, copying):
    text = base64.b64encode(b"a profile of no meaning" * 9).decode()
    source = write(tmp_path / "in.tif", np.zeros((3, 4, 4), np.uint8), interp=RGB)
    with rasterio.open(source, "r+") as file:
        file.update_tags(ns="COLOR_PROFILE", SOURCE_ICC_PROFILE=text)
    for cog in (False, True):
        path = tmp_path / f"out{cog}.tif"
        super_resolve(source, path, weights=copying, cog=cog)
        with rasterio.open(path) as out:
            assert out.tags(ns="COLOR_PROFILE")["SOURCE_ICC_PROFILE"] == text


def test_blue_first_becomes_red_first_where_a_format_wants_it(tmp_path, copying):
    pixels = RANDOM.integers(0, 255, (4, 8, 8), np.uint8) | 1
    interp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.alpha]
    source = write(tmp_path / "in.tif", pixels, interp=interp, photometric="MINISBLACK")
    for name in ("out.png", "out.webp", "out.tif"):
        super_resolve(source, tmp_path / name, weights=copying)
    for name in ("out.png", "out.webp"):
        image = read_image(tmp_path / name)
        np.testing.assert_array_equal(image.pixels, repeat(pixels)[2::-1])
        np.testing.assert_array_equal(image.alpha, repeat(pixels)[3])
    with rasterio.open(tmp_path / "out.tif") as out:
        np.testing.assert_array_equal(out.read(), repeat(pixels))
        assert list(out.colorinterp) == interp


def test_a_raster_becomes_a_png_only_where_that_can_hold_it(tmp_path, copying):
    pixels = RANDOM.integers(0, 65_535, (1, 6, 6)).astype(np.uint16)
    done = super_resolve(write(tmp_path / "in.tif", pixels), tmp_path / "out.png", weights=copying)
    assert "georeference is lost" in done.warnings[0]
    with rasterio.open(tmp_path / "out.png") as out:
        np.testing.assert_array_equal(out.read(), repeat(pixels))
    for bad in (np.ones((5, 4, 4), np.uint8), np.ones((1, 4, 4), np.float32)):
        source = write(tmp_path / "bad.tif", bad)
        with pytest.raises(OutputError, match="cannot hold") as refused:
            super_resolve(source, tmp_path / "bad.png", weights=copying)
        assert refused.value.code == "E406"
