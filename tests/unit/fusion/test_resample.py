"""Interpolation against scipy's Lagrange polynomial and the published filter; windows; nodata."""

import numpy as np
import pytest
from scipy.interpolate import lagrange as scipy_lagrange

from resattn.fusion import resample
from resattn.fusion.taps import mirror


def upsample(ms, positions_y, positions_x, valid=None):
    rows = resample.interpolation_rows(np.asarray(positions_y, float), ms.shape[-2])
    cols = resample.interpolation_rows(np.asarray(positions_x, float), ms.shape[-1])
    window = (slice(rows.start, rows.stop), slice(cols.start, cols.stop))
    part = None if valid is None else valid[window]
    return resample.interpolate(ms[..., *window], rows, cols, part)


def test_weights_are_the_polynomial_through_the_samples():
    values = np.random.default_rng(0).uniform(-1, 1, 6)
    polynomial = scipy_lagrange(np.arange(-2, 4), values)
    for fraction in (0.0, 0.1, 0.5, 0.77):
        weights = resample.lagrange(np.array([fraction]), 6)[0]
        assert weights @ values == pytest.approx(polynomial(fraction))


def test_midpoint_weights_are_the_published_23_tap_filter():
    published = [-0.000060081482, 0.000807762146, -0.005192756653,
                 0.021809577942, -0.072698593239, 0.305334091185]  # fmt: skip
    weights = resample.lagrange(np.array([0.5]))[0] / 2
    np.testing.assert_allclose(weights, published + published[::-1], atol=1e-11)


def test_polynomials_of_the_ground_are_reproduced():
    y, x = np.meshgrid(np.arange(30.0), np.arange(40.0), indexing="ij")
    ms = (100 + 3 * y - 2 * x + 0.1 * y * x)[None].astype(np.float32)
    at_y, at_x = np.arange(8, 20, 0.371), np.arange(7.3, 30, 0.25)
    expected = 100 + 3 * at_y[:, None] - 2 * at_x + 0.1 * at_y[:, None] * at_x
    np.testing.assert_allclose(upsample(ms, at_y, at_x)[0], expected, rtol=1e-5)


def test_samples_on_the_grid_are_returned_as_they_are():
    ms = np.random.default_rng(1).uniform(0, 2047, (2, 20, 24)).astype(np.float32)
    positions = np.arange(20) + 3e-9
    np.testing.assert_array_equal(upsample(ms, positions, np.arange(24)), ms)


@pytest.mark.parametrize("scale", [1 / 4, 0.37, 1 / 5.5])
def test_any_window_is_bit_equal_to_the_whole(scale):
    ms = np.random.default_rng(2).uniform(0, 2047, (3, 32, 29)).astype(np.float32)
    valid = np.random.default_rng(3).random((32, 29)) > 0.1
    positions_y = np.arange(-0.4, 31.4, scale)
    positions_x = np.arange(-0.3, 28.4, scale)
    whole = upsample(ms, positions_y, positions_x)
    for y0, y1, x0, x1 in [(0, 1, 0, 1), (3, 40, 10, 50), (20, 21, 0, 60), (50, 77, 41, 70)]:
        part = upsample(ms, positions_y[y0:y1], positions_x[x0:x1])
        np.testing.assert_array_equal(part, whole[:, y0:y1, x0:x1])
    assert upsample(ms, positions_y, positions_x, valid).shape == whole.shape


def test_borders_are_mirrored():
    ms = np.random.default_rng(4).uniform(0, 1, (1, 16, 16)).astype(np.float32)
    padded = np.pad(ms, ((0, 0), (8, 8), (8, 8)), mode="symmetric")
    positions = np.arange(-0.5, 15.6, 0.3)
    np.testing.assert_allclose(
        upsample(ms, positions, positions),
        upsample(padded, positions + 8, positions + 8),
        atol=1e-5,
    )


def test_mirroring_repeats_the_border_sample_for_any_distance():
    assert mirror(np.arange(-7, 8), 3).tolist() == [0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]


def test_nodata_does_not_bleed():
    ms = np.full((2, 30, 30), 500, np.float32)
    valid = np.ones((30, 30), bool)
    valid[8:15, 5:22] = valid[0, :] = False
    ms[:, ~valid] = -32768
    positions = np.arange(-0.375, 29.4, 0.25)
    fused = upsample(ms, positions, positions, valid)
    near = np.clip(np.round(positions).astype(int), 0, 29)
    inside = valid[np.ix_(near, near)]
    np.testing.assert_allclose(fused[:, inside], 500, atol=0.01)


def test_the_value_of_nodata_is_never_read():
    rng = np.random.default_rng(5)
    ms = rng.uniform(0, 2047, (2, 20, 20)).astype(np.float32)
    valid = rng.random((20, 20)) > 0.3
    positions = np.arange(0, 19, 0.25)
    with_nan = np.where(valid, ms, np.float32(np.nan))
    np.testing.assert_array_equal(
        upsample(ms, positions, positions, valid), upsample(with_nan, positions, positions, valid)
    )


def test_interp23_of_a_wave_is_the_wave():
    k = np.arange(32)
    ms = np.cos(2 * np.pi * 3 * k / 32)[None, :].repeat(32, 0)[None].astype(np.float32)
    fine = (np.arange(128) - 2) / 4  # sample k lies on output 4k+2
    expected = np.cos(2 * np.pi * 3 * fine / 32)
    np.testing.assert_allclose(resample.interp23(ms, 4)[0, 50], expected, atol=2e-4)


def test_interp23_agrees_with_the_general_interpolator_on_smooth_ground():
    y, x = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    ms = (500 + 200 * np.sin(y / 4) * np.cos(x / 5))[None].astype(np.float32)
    positions = (np.arange(160) - 2) / 4
    inner = (slice(None), slice(40, 120), slice(40, 120))
    general = upsample(ms, positions, positions)
    np.testing.assert_allclose(general[inner], resample.interp23(ms, 4)[inner], atol=0.01)


@pytest.mark.parametrize("ratio", [1, 3, 6])
def test_interp23_refuses_other_ratios(ratio):
    with pytest.raises(ValueError, match=f"got {ratio}"):
        resample.interp23(np.zeros((1, 4, 4), np.float32), ratio)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["wv3_rr128"])
def test_interp23_is_the_toolbox_image(shared, name):
    import rasterio

    folder = shared / "pansharpen" / "oracle" / name
    with rasterio.open(folder / "ms.tif") as ms, rasterio.open(folder / "fused_exp.tif") as exp:
        enlarged = np.clip(resample.interp23(ms.read().astype(np.float32), 4), 0, 2047)
        np.testing.assert_allclose(enlarged, exp.read(), atol=1e-3)
