"""The methods on scenes with a known truth: identities, quality, windows, nodata, band counts."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from resattn.errors import ItemError, UserError
from resattn.fusion import resample
from resattn.fusion.classical import METHODS, fit
from resattn.fusion.consistency import step_sizes
from resattn.fusion.pyramid import POINT, Optics, Pyramid
from resattn.fusion.scene import from_arrays
from resattn.tiling import Window

SHARPENING = [name for name in METHODS if name != "exp"]
WINDOWS = [Window(0, 0, 1, 1), Window(5, 40, 33, 21), Window(60, 0, 36, 128), Window(95, 127, 1, 1)]


def rmse(estimate, reference):
    return float(np.sqrt(np.mean((estimate.astype(float) - reference) ** 2)))


def test_exp_is_the_interpolation(simulated):
    fused, valid = fit("exp", simulated.scene, simulated.optics).apply(
        simulated.scene, simulated.whole
    )
    positions = [(np.arange(n) - 1.5) / 4 for n in (96, 128)]
    rows, cols = (
        resample.interpolation_rows(p, n)
        for p, n in zip(positions, simulated.ms.shape[1:], strict=True)
    )
    np.testing.assert_array_equal(fused, resample.interpolate(simulated.ms, rows, cols))
    assert valid.all()


@pytest.mark.parametrize("method", SHARPENING)
def test_every_method_comes_nearer_to_the_truth_than_exp(simulated, method):
    scene, whole = simulated.scene, simulated.whole
    exp, _ = fit("exp", scene, simulated.optics).apply(scene, whole)
    fused, _ = fit(method, scene, simulated.optics).apply(scene, whole)
    assert rmse(fused, simulated.truth) < 0.8 * rmse(exp, simulated.truth)


@pytest.mark.parametrize("method", SHARPENING)
def test_a_pan_without_detail_adds_none(simulated, method):
    flat = from_arrays(np.full_like(simulated.pan, 800), simulated.ms, simulated.grid)
    fused, _ = fit(method, flat, simulated.optics).apply(flat, simulated.whole)
    exp, _ = fit("exp", flat, simulated.optics).apply(flat, simulated.whole)
    # Brovey pulls towards its intensity, which a flat PAN does not explain: bands keep their mean.
    tolerance = 400 if method == "brovey" else 0.01
    np.testing.assert_allclose(fused, exp, atol=tolerance)


def test_glp_of_a_low_pass_pan_is_additive_by_hand(simulated):
    model = fit("mtf-glp", simulated.scene, simulated.optics)
    pyramid = Pyramid(simulated.scene, simulated.optics)
    exp, _ = pyramid.enlarged(simulated.whole)
    low = pyramid.low(simulated.whole)[0]
    gains = [
        np.cov(band.ravel().astype(float), low.ravel())[0, 1] / np.var(low.astype(float), ddof=1)
        for band in exp
    ]
    np.testing.assert_allclose(model.injection.additive, gains, rtol=1e-6)
    expected = exp + np.array(gains)[:, None, None] * (simulated.pan - low)
    fused, _ = model.apply(simulated.scene, simulated.whole)
    np.testing.assert_allclose(fused, expected, rtol=1e-5)


def test_hpm_is_the_ratio_of_the_matched_pan(simulated):
    model = fit("mtf-glp-hpm", simulated.scene, simulated.optics)
    gains = np.array(fit("mtf-glp", simulated.scene, simulated.optics).injection.additive)
    pyramid = Pyramid(simulated.scene, simulated.optics)
    exp, _ = pyramid.enlarged(simulated.whole)
    low = pyramid.low(simulated.whole)[0]
    slope = gains[:, None, None]
    offset = exp.mean((1, 2), keepdims=True) - slope * low.mean()
    expected = exp * (slope * simulated.pan + offset) / (slope * low + offset)
    fused, _ = model.apply(simulated.scene, simulated.whole)
    np.testing.assert_allclose(fused, expected, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("consistency", [0.0, 0.6])
def test_any_window_is_bit_equal_to_the_whole(simulated, method, consistency):
    model = fit(method, simulated.scene, simulated.optics, consistency=consistency)
    whole, whole_valid = model.apply(simulated.scene, simulated.whole)
    for window in WINDOWS:
        part, valid = model.apply(simulated.scene, window)
        np.testing.assert_array_equal(part, whole[:, *window.slices])
        np.testing.assert_array_equal(valid, whole_valid[window.slices])


@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_windows_are_exact_with_shifts_nodata_and_odd_ratios(simulate, consistency):
    simulated = simulate(99, 120, 3, 3.3, shifts=((0.5, -1.0), (0.0, 0.25), (0.5, -1.0)))
    rng = np.random.default_rng(1)
    pan_valid, ms_valid = rng.random(simulated.pan.shape) > 0.02, np.ones((30, 36), bool)
    pan_valid[40:60, 50:70] = ms_valid[:5, :7] = False
    scene = simulated.masked(pan_valid, ms_valid)
    model = fit("mtf-glp-hpm", scene, simulated.optics, consistency=consistency)
    whole, whole_valid = model.apply(scene, simulated.whole)
    for window in [Window(0, 0, 17, 23), Window(33, 45, 40, 30), Window(98, 60, 1, 60)]:
        part, valid = model.apply(scene, window)
        np.testing.assert_array_equal(part, whole[:, *window.slices])
        np.testing.assert_array_equal(valid, whole_valid[window.slices])


@pytest.mark.parametrize("method", ["gsa", "mtf-glp-reg", "bdsd"])
def test_consistency_returns_the_ms_samples(simulated, method):
    pyramid = Pyramid(simulated.scene, simulated.optics)
    cover = Window(0, 0, *simulated.ms.shape[1:])

    def misfit(strength):
        model = fit(method, simulated.scene, simulated.optics, consistency=strength)
        fused, valid = model.apply(simulated.scene, simulated.whole)
        return float(np.abs(pyramid.residual(fused, valid, simulated.whole, cover)).mean())

    assert misfit(1.0) < 0.2 * misfit(0.0)
    assert misfit(1.0) < misfit(0.5) < misfit(0.0)


def test_the_corrections_are_back_projection(simulated):
    """Against the textbook iteration on the PAN grid, with the same step sizes."""
    pyramid = Pyramid(simulated.scene, simulated.optics)
    cover = Window(0, 0, *simulated.ms.shape[1:])
    expected, valid = fit("mtf-glp", simulated.scene, simulated.optics).apply(
        simulated.scene, simulated.whole
    )
    for size in step_sizes(0.0):
        left = pyramid.residual(expected, valid, simulated.whole, cover)
        shifts = simulated.optics.shifts
        expected = expected + size * pyramid.enlarge(left, cover, simulated.whole, shifts)
    fused, _ = fit("mtf-glp", simulated.scene, simulated.optics, consistency=1.0).apply(
        simulated.scene, simulated.whole
    )
    # K leaves out weights below 0.1 %.
    np.testing.assert_allclose(fused, expected, atol=0.02 * float(expected.std()))


def test_consistency_comes_nearer_to_the_truth(simulated):
    plain, refined = (
        fit("mtf-glp-reg", simulated.scene, simulated.optics, consistency=strength).apply(
            simulated.scene, simulated.whole
        )[0]
        for strength in (0.0, 1.0)
    )
    assert rmse(refined, simulated.truth) < rmse(plain, simulated.truth)


@pytest.mark.parametrize("method", METHODS)
def test_nodata_values_are_never_read(simulated, method):
    pan_valid, ms_valid = np.ones((96, 128), bool), np.ones((24, 32), bool)
    pan_valid[10:30, 20:50] = ms_valid[12:20, 3:9] = False
    results = []
    for filler in (-32768.0, np.nan):
        pan = np.where(pan_valid, simulated.pan, np.float32(filler))
        ms = np.where(ms_valid, simulated.ms, np.float32(filler))
        scene = from_arrays(pan, ms, simulated.grid, pan_valid=pan_valid, ms_valid=ms_valid)
        model = fit(method, scene, simulated.optics, consistency=0.5)
        results.append(model.apply(scene, simulated.whole))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    valid = results[0][1]
    expected = ms_valid.repeat(4, 0).repeat(4, 1)
    if method != "exp":
        expected &= pan_valid
    np.testing.assert_array_equal(valid, expected)
    assert (results[0][0][:, ~valid] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_nodata_does_not_bleed_into_flat_ground(simulated, method):
    pan = np.full((96, 128), 900, np.float32)
    ms = np.full((4, 24, 32), 500, np.float32)
    ms_valid = np.ones((24, 32), bool)
    ms_valid[8:14, 10:20] = False
    ms[:, ~ms_valid] = -32768
    pan_valid = np.ones((96, 128), bool)
    pan_valid[60:, 90:] = False
    pan[~pan_valid] = -32768
    scene = from_arrays(pan, ms, simulated.grid, pan_valid=pan_valid, ms_valid=ms_valid)
    fused, valid = fit(method, scene, simulated.optics).apply(scene, simulated.whole)
    np.testing.assert_allclose(fused[:, valid], 500, atol=0.5)


@pytest.mark.parametrize("bands", [1, 16])
@pytest.mark.parametrize("method", METHODS)
def test_any_band_count(simulate, method, bands):
    simulated = simulate(64, 64, bands)
    fused, valid = fit(method, simulated.scene, simulated.optics).apply(
        simulated.scene, simulated.whole
    )
    assert fused.shape == (bands, 64, 64)
    assert fused.dtype == np.float32
    assert np.isfinite(fused).all()
    assert valid.all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_any_sample_type_is_read_as_float32(simulated, dtype):
    pan, ms = ((image / 8).astype(dtype) for image in (simulated.pan, simulated.ms))
    scene = from_arrays(pan, ms, simulated.grid)
    fused, _ = fit("mtf-glp-hpm", scene, simulated.optics).apply(scene, simulated.whole)
    assert fused.dtype == np.float32
    assert rmse(fused * 8, simulated.truth) < 60


@pytest.mark.parametrize("ratio", [2.0, 2.7, 3.0, 5.5, 6.0])
def test_any_ratio(simulate, ratio):
    simulated = simulate(120, 132, 3, ratio)
    scene, whole = simulated.scene, simulated.whole
    exp, _ = fit("exp", scene, simulated.optics).apply(scene, whole)
    fused, valid = fit("mtf-glp-reg", scene, simulated.optics).apply(scene, whole)
    assert rmse(fused[:, valid], simulated.truth[:, valid]) < 0.8 * rmse(
        exp[:, valid], simulated.truth[:, valid]
    )


def test_known_shifts_bring_the_colour_back(simulate):
    simulated = simulate(shifts=((1.5, -1.0),) * 4)
    errors = {}
    for name, optics in {
        "ignored": replace(simulated.optics, shifts=((0.0, 0.0),) * 4),
        "used": simulated.optics,
    }.items():
        fused, _ = fit("mtf-glp", simulated.scene, optics).apply(simulated.scene, simulated.whole)
        errors[name] = rmse(fused, simulated.truth)
    assert errors["used"] < 0.75 * errors["ignored"]


def test_a_constant_band_and_a_dark_band_stay_as_they_are(simulated):
    ms = simulated.ms.copy()
    ms[0], ms[1] = 300, 0
    scene = from_arrays(simulated.pan, ms, simulated.grid)
    for method in SHARPENING:
        fused, _ = fit(method, scene, simulated.optics).apply(scene, simulated.whole)
        assert np.isfinite(fused).all()
        if method != "brovey":
            np.testing.assert_allclose(fused[0], 300, atol=0.05)
            np.testing.assert_allclose(fused[1], 0, atol=0.05)


def test_a_band_against_pan_keeps_an_additive_gain(simulated):
    ms = simulated.ms.copy()
    ms[2] = 3000 - 2 * ms[2]
    scene = from_arrays(simulated.pan, ms, simulated.grid)
    injection = fit("mtf-glp-hpm", scene, simulated.optics).injection
    assert injection.relative == (1.0, 1.0, 0.0, 1.0)
    assert injection.additive[2] < 0


def test_point_samples_and_softness_recover_a_decimated_pair(simulated):
    point = Optics((POINT,) * 4, ((0.0, 0.0),) * 4, 0.8)
    model = fit("mtf-glp", simulated.scene, point)
    whole, _ = model.apply(simulated.scene, simulated.whole)
    part, _ = model.apply(simulated.scene, WINDOWS[1])
    np.testing.assert_array_equal(part, whole[:, *WINDOWS[1].slices])


def test_a_model_is_a_json_value(simulated):
    for method in METHODS:
        model = fit(method, simulated.scene, simulated.optics)
        assert json.loads(json.dumps(asdict(model)))["method"] == method


def test_an_unknown_method_is_refused(simulated):
    with pytest.raises(UserError, match="'ihs'"):
        fit("ihs", simulated.scene, simulated.optics)


@pytest.mark.parametrize("consistency", [-0.1, 1.5, float("nan")])
def test_a_consistency_outside_zero_to_one_is_refused(simulated, consistency):
    with pytest.raises(UserError, match="from 0 to 1"):
        fit("gsa", simulated.scene, simulated.optics, consistency=consistency)


def test_a_wrong_number_of_gains_is_a_programming_error(simulated):
    with pytest.raises(ValueError, match="3 MTF gains for 4 bands"):
        fit("gsa", simulated.scene, Optics.of((0.3,) * 3))


def test_a_scene_without_a_valid_pixel_is_refused(simulated):
    scene = simulated.masked(ms_valid=np.zeros((24, 32), bool))
    with pytest.raises(ItemError) as caught:
        fit("gsa", scene, simulated.optics)
    assert caught.value.code == "E327"
