"""The MTF filter against its frequency response, an explicit loop and the rotated-window kernel."""

import math

import numpy as np
import pytest

from resattn.fusion import mtf
from resattn.fusion.taps import filter_axes


def loop_filter(image, kernel):
    """Correlation by definition: mirrored borders, four loops."""
    half = kernel.shape[0] // 2
    padded = np.pad(image.astype(np.float64), half, mode="symmetric")
    out = np.zeros(image.shape)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            out[y, x] = (padded[y : y + 2 * half + 1, x : x + 2 * half + 1] * kernel).sum()
    return out


@pytest.mark.parametrize(("gain", "ratio"), [(0.3, 4), (0.15, 4), (0.36, 2), (0.3, 3), (0.25, 5.5)])
def test_contrast_at_the_nyquist_rate_is_the_gain(gain, ratio):
    kernel = mtf.kernel(gain, ratio)
    x = np.arange(-20, 21)
    # The filter is designed on N−1 intervals and sampled on N points (toolbox convention), so its
    # Nyquist frequency is off by 1/41: compare with the Gaussian at that frequency.
    at = np.exp(-0.5 * (41 / (2 * ratio) / mtf.spread(gain, ratio)) ** 2)
    measured = (kernel.sum(axis=0) * np.cos(2 * np.pi * x / (2 * ratio))).sum()
    assert measured == pytest.approx(at, abs=0.01)
    assert measured == pytest.approx(gain, abs=0.03)
    assert kernel.sum() == pytest.approx(1.0)


def test_spread_is_the_published_formula():
    assert mtf.spread(0.3, 4) == pytest.approx(math.sqrt(5.0**2 / (-2 * math.log(0.3))))


@pytest.mark.parametrize(("gain", "ratio"), [(0.3, 4), (0.36, 2), (0.14, 4), (0.3, 6)])
def test_the_separable_filter_is_the_rotated_window_filter(gain, ratio):
    response = mtf.response(np.arange(-20.0, 21.0), gain, ratio)
    response /= response.sum()
    kernel = mtf.kernel(gain, ratio)
    assert np.abs(np.outer(response, response) - kernel).max() < 1e-5 * kernel.max()


def test_blur_is_the_correlation_with_the_kernel():
    image = np.random.default_rng(0).uniform(0, 2047, (30, 47)).astype(np.float32)
    expected = loop_filter(image, mtf.kernel(0.3, 4))
    np.testing.assert_allclose(mtf.blur(image, 0.3, 4), expected, atol=0.02)


def test_low_pass_rows_sample_the_blur():
    image = np.random.default_rng(1).uniform(0, 2047, (48, 64)).astype(np.float32)
    rows = mtf.low_pass_rows(np.arange(2.0, 48, 4), 48, 0.3, 4)
    cols = mtf.low_pass_rows(np.arange(2.0, 64, 4), 64, 0.3, 4)
    cut = image[rows.start : rows.stop, cols.start : cols.stop]
    np.testing.assert_allclose(
        filter_axes(cut, rows, cols), mtf.blur(image, 0.3, 4)[2::4, 2::4], atol=1e-3
    )


def test_a_half_pixel_shift_is_the_filter_of_a_shifted_wave():
    x = np.arange(200, dtype=np.float64)
    wave = np.cos(2 * np.pi * x / 25.0).astype(np.float32)
    centres = np.arange(60.5, 140, 4)
    rows = mtf.low_pass_rows(centres, 200, 0.3, 4)
    taps = np.arange(-20, 21)
    weights = mtf.response(taps.astype(np.float64), 0.3, 4)
    gain = (weights / weights.sum() * np.cos(2 * np.pi * taps / 25.0)).sum()
    expected = gain * np.cos(2 * np.pi * centres / 25.0)
    np.testing.assert_allclose(rows.matrix @ wave[rows.start : rows.stop], expected, atol=1e-4)


def test_blur_keeps_a_constant_next_to_invalid_pixels():
    image = np.full((40, 50), 700, np.float32)
    valid = np.ones((40, 50), bool)
    valid[10:25, 5:30] = False
    image[~valid] = -32768
    blurred = mtf.blur(image, 0.3, 4, valid)
    np.testing.assert_allclose(blurred[valid], 700, rtol=1e-5)


def test_blur_ignores_the_value_of_invalid_pixels():
    rng = np.random.default_rng(2)
    image = rng.uniform(0, 2047, (3, 40, 50)).astype(np.float32)
    valid = rng.random((40, 50)) > 0.2
    other = np.where(valid, image, np.float32(np.nan))
    np.testing.assert_array_equal(mtf.blur(image, 0.3, 4, valid), mtf.blur(other, 0.3, 4, valid))


def test_blur_without_a_valid_pixel_in_reach_is_zero():
    valid = np.zeros((90, 90), bool)
    valid[0, 0] = True
    blurred = mtf.blur(np.full((90, 90), 5, np.float32), 0.3, 4, valid)
    assert blurred[0, 0] == pytest.approx(5)
    assert blurred[-1, -1] == 0


@pytest.mark.parametrize(("gain", "ratio"), [(0.0, 4), (1.0, 4), (0.3, 0.5)])
def test_impossible_filters_are_refused(gain, ratio):
    with pytest.raises(ValueError, match="got"):
        mtf.kernel(gain, ratio)
