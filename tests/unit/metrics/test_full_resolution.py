"""Scores without a reference, against dense filters, loops and the geometry itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from resattn.fusion.geometry import GridMap
from resattn.fusion.mtf import kernel
from resattn.metrics.align import register
from resattn.metrics.consistency import observe
from resattn.metrics.correlation import d_rho, d_rho_halo, running_d_rho
from resattn.metrics.enlarge import enlarge, shrink
from resattn.metrics.ergas import ergas, running_ergas
from resattn.metrics.evaluate import evaluate_full
from resattn.metrics.observe import Observer, low_pass
from resattn.metrics.q2n import q2n
from resattn.metrics.qnr import d_lambda, d_lambda_k, d_s, hqnr
from resattn.tiling import Grid, Window

GAINS = (0.3, 0.36)


@pytest.fixture
def scene(rng):
    """A PAN image with structure at all scales and two bands that follow it."""
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (64, 64)), 1.5)
    pan = 700 + 900 * noise
    fused = np.stack([0.7 * pan + 100, 1.1 * pan[::-1] + 50])
    return fused, pan


def correlation_by_hand(x, y, half):
    """Local correlation as the definition reads: two passes of zero-padded windows."""

    def padded_sum(image, row, col):
        total = 0.0
        for i in range(row - half + 1, row + half + 1):
            for j in range(col - half + 1, col + half + 1):
                if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                    total += image[i, j]
        return total

    def field(image):
        return np.array(
            [
                [padded_sum(image, row, col) for col in range(image.shape[1])]
                for row in range(image.shape[0])
            ]
        )

    size = (2 * half) ** 2
    dx, dy = x - field(x) / size, y - field(y) / size
    return field(dx * dy) / np.sqrt(field(dx * dx) * field(dy * dy))


@pytest.mark.parametrize(("ratio", "half"), [(2, 1), (3, 2), (4, 2), (2.5, 2)])
def test_d_rho_is_the_formula(scene, ratio, half):
    fused, pan = scene[0][:, :20, :18], scene[1][:20, :18]
    expected = np.mean([1 - correlation_by_hand(band, pan, half) for band in fused])
    assert d_rho(fused, pan, ratio=ratio) == pytest.approx(expected, rel=1e-9)


def test_d_rho_of_pan_itself_and_of_its_negative(scene):
    _, pan = scene
    assert d_rho(pan[None], pan, ratio=4) == pytest.approx(0, abs=1e-12)
    inner = np.zeros(pan.shape, dtype=bool)
    inner[8:-8, 8:-8] = True
    assert d_rho(5000 - pan[None], pan, ratio=4, valid=inner) == pytest.approx(2, abs=1e-9)


def test_d_rho_of_a_flat_band_is_one():
    pan = np.arange(400.0).reshape(20, 20)
    inner = np.zeros(pan.shape, dtype=bool)
    inner[4:-4, 4:-4] = True
    assert d_rho(np.full((1, 20, 20), 0.5), pan, ratio=4, valid=inner) == pytest.approx(1)


def test_d_rho_does_not_see_masked_pixels(scene):
    fused, pan = scene
    valid = np.ones(pan.shape, dtype=bool)
    valid[10:20, 30:40] = False
    expected = d_rho(fused, pan, ratio=4, valid=valid)
    spoiled, broken = fused.copy(), pan.copy()
    spoiled[:, ~valid], broken[~valid] = np.nan, -9999
    assert d_rho(spoiled, broken, ratio=4, valid=valid) == expected


@pytest.mark.parametrize("ratio", [2, 4, 5])
def test_d_rho_over_windows_is_that_of_the_whole(scene, rng, ratio):
    fused, pan = scene
    valid = rng.random(pan.shape) > 0.01
    total = running_d_rho()
    for tile in Grid(64, 64, size=24, halo=d_rho_halo(ratio)):
        part = tile.outer.slices
        total.update(fused[:, *part], pan[part], ratio, valid[part], tile.crop())
    whole = d_rho(fused, pan, ratio=ratio, valid=valid)
    assert total.compute() == pytest.approx(whole, rel=1e-12)


def test_observation_is_filter_then_sample(scene):
    """Dense 2-D correlation; the Kaiser window of the oracle's code runs along rows only."""
    fused, _ = scene
    observer = Observer.of_toolbox((64, 64), 4, GAINS)
    seen, trusted = observe(fused, observer)
    steps = np.arange(41) - 20
    for band, gain, ours in zip(fused, GAINS, seen, strict=True):
        sigma = 20 / 4 / math.sqrt(-2 * math.log(gain))
        gauss = np.exp(-0.5 * (steps[:, None] ** 2 + steps[None] ** 2) / sigma**2)
        taps = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(gauss)).real) * np.kaiser(41, 0.5)
        dense = ndimage.correlate(band, taps / taps.sum(), mode="nearest")
        np.testing.assert_allclose(ours, dense[2::4, 2::4], rtol=1e-9)
        usual = ndimage.correlate(band, kernel(gain, 4), mode="nearest")
        np.testing.assert_allclose(ours, usual[2::4, 2::4], rtol=1e-3)
    assert trusted.all()


@pytest.mark.parametrize("toolbox", [True, False])
def test_observation_of_a_flat_image_is_flat(toolbox):
    grid = GridMap(60, 60, 24, 24, 2.5, 2.5, 0.75, 0.75)
    observer = Observer(grid, (0.3,), ((0.0, 0.0),), toolbox)
    seen, _ = observe(np.full((1, 60, 60), 321.0), observer)
    inner = seen[:, 4:-4, 4:-4] if toolbox else seen  # zeros outside reach the toolbox's border
    np.testing.assert_allclose(inner, 321.0, rtol=1e-12)


@pytest.mark.parametrize("shift", [(0.5, -1.0), (0.25, 1.5), (-2.0, 0.0)])
def test_a_shift_moves_the_observation(shift):
    """A slow wave sampled at shifted positions, against the wave itself."""
    row, col = np.meshgrid(np.arange(80.0), np.arange(80.0), indexing="ij")

    def wave(y, x):
        return np.sin(2 * np.pi * y / 60) + np.cos(2 * np.pi * x / 48)

    grid = GridMap(80, 80, 20, 20, 4, 4, 1.5, 1.5)
    seen, _ = observe(wave(row, col)[None], Observer(grid, (0.9999,), (shift,)))
    at = 1.5 + 4 * np.arange(20.0)
    expected = wave(at[:, None] + shift[0], at[None] + shift[1])
    np.testing.assert_allclose(seen[0, 4:-4, 4:-4], expected[4:-4, 4:-4], atol=2e-3)


def test_observation_over_windows_is_that_of_the_whole(scene, rng):
    fused, _ = scene
    valid = np.ones((64, 64), dtype=bool)
    valid[:30, :7] = False
    clean = np.where(valid, fused, 0)
    grid = GridMap(64, 64, 25, 25, 2.5, 2.5, 0.8, 0.6)
    observer = Observer(grid, GAINS, ((0.5, 0.0), (-1.5, 1.0)))
    whole, trusted = observe(fused, observer, valid=valid)
    ms = whole + rng.normal(0, 5, whole.shape)
    total = running_ergas(2.5)
    for window in (Window(0, 0, 10, 25), Window(10, 0, 15, 11), Window(10, 11, 15, 14)):
        part = observer.needs(window)
        seen, sure = observer.observe(clean[:, *part.slices], valid[part.slices], window)
        np.testing.assert_allclose(seen, whole[:, *window.slices], rtol=1e-12)
        np.testing.assert_array_equal(sure, trusted[window.slices])
        total.update(seen, ms[:, *window.slices], sure)
    expected = ergas(whole, ms, ratio=2.5, valid=trusted)
    assert total.compute() == pytest.approx(expected, rel=1e-12)


def test_untrusted_samples_are_those_whose_filter_met_nodata(scene):
    fused, _ = scene
    valid = np.ones((64, 64), dtype=bool)
    valid[30:34, 30:34] = False
    observer = Observer.of_toolbox((64, 64), 4, GAINS)
    spoiled = fused.copy()
    spoiled[:, ~valid] = np.nan
    seen, trusted = observe(spoiled, observer, valid=valid)
    reference, _ = observe(fused, observer)
    assert not trusted[7, 7]
    assert trusted[0, 0]
    assert trusted[12, 12]
    np.testing.assert_allclose(seen[:, trusted], reference[:, trusted], rtol=0.03)


def test_low_pass_repeats_the_edge_and_keeps_the_mean(scene):
    fused, _ = scene
    filtered, trusted = low_pass(np.full_like(fused, 7.0), GAINS, 4)
    np.testing.assert_allclose(filtered, 7.0, rtol=1e-12)
    assert trusted.all()


def test_d_lambda_k_is_one_minus_q2n_of_the_filtered_image(scene):
    fused, _ = scene
    enlarged = fused + 30
    filtered, _ = low_pass(fused, GAINS, 4)
    expected = 1 - q2n(filtered, enlarged)
    assert d_lambda_k(fused, enlarged, gains=GAINS, ratio=4) == pytest.approx(expected)


def test_d_lambda_counts_each_pair_once(make_pair):
    fused, enlarged = make_pair(3, 32, 32)

    def index(x, y):
        c = np.cov(x.ravel(), y.ravel())
        means = x.mean(), y.mean()
        return 4 * c[0, 1] * means[0] * means[1] / (c[0, 0] + c[1, 1]) / (np.dot(means, means))

    pairs = [(0, 1), (0, 2), (1, 2)]
    change = [abs(index(fused[i], fused[j]) - index(enlarged[i], enlarged[j])) for i, j in pairs]
    assert d_lambda(fused, enlarged) == pytest.approx(np.mean(change), rel=1e-10)
    squared = math.sqrt(np.mean(np.square(change)))
    assert d_lambda(fused, enlarged, exponent=2) == pytest.approx(squared, rel=1e-10)
    assert d_lambda(enlarged, enlarged) == 0
    assert d_lambda(fused[:1], enlarged[:1]) == 0


def test_d_s_compares_each_band_with_pan(make_pair, scene):
    fused, enlarged = make_pair(2, 32, 32)
    pan, low = scene[1][:32, :32], scene[1][32:, 32:]

    def index(x, y):
        c = np.cov(x.ravel(), y.ravel())
        means = x.mean(), y.mean()
        return 4 * c[0, 1] * means[0] * means[1] / (c[0, 0] + c[1, 1]) / (np.dot(means, means))

    change = [abs(index(fused[b], pan) - index(enlarged[b], low)) for b in range(2)]
    assert d_s(fused, pan, enlarged, low) == pytest.approx(np.mean(change), rel=1e-10)
    assert d_s(enlarged, low, enlarged, low) == 0


def test_hqnr_multiplies_what_is_left():
    assert hqnr(0, 0) == 1
    assert hqnr(0.25, 0.5) == pytest.approx(0.375)


def test_shrink_is_an_antialiased_bicubic(rng):
    """Per sample by hand: Keys' kernel widened four times, mirrored at the border."""
    pan = rng.uniform(0, 100, (1, 24, 16))
    observer = Observer.of_toolbox((24, 16), 4, (0.3,))
    low, _ = shrink(pan, observer)

    def keys(t):
        t = abs(t)
        if t <= 1:
            return 1.5 * t**3 - 2.5 * t**2 + 1
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0.0

    def axis(index, length):
        centre = 4 * index + 1.5
        weights = np.zeros(length)
        for j in range(-10, length + 10):
            inside = j if 0 <= j < length else (-1 - j if j < 0 else 2 * length - 1 - j)
            weights[inside] += keys((j - centre) / 4)
        return weights / weights.sum()

    expected = [[axis(i, 24) @ pan[0] @ axis(j, 16) for j in range(4)] for i in range(6)]
    np.testing.assert_allclose(low[0], expected, rtol=1e-12)


def test_enlarge_meets_the_samples_on_both_kinds_of_grid(rng):
    ms = rng.uniform(100, 200, (2, 8, 8))
    toolbox = enlarge(ms, Observer.of_toolbox((32, 32), 4, GAINS))
    np.testing.assert_allclose(toolbox[:, 2::4, 2::4], ms, rtol=1e-4)
    grid = GridMap(33, 33, 8, 8, 4, 4, 2, 2)
    georeferenced = enlarge(ms, Observer(grid, GAINS, ((0, 0), (0, 0))))
    np.testing.assert_allclose(georeferenced[:, 2:33:4, 2:33:4], ms, rtol=1e-6)


def test_all_scores_at_once_do_not_see_masked_pixels(rng, scene):
    fused, pan = scene
    ms = observe(fused, Observer.of_toolbox((64, 64), 2, GAINS))[0]
    grid = GridMap(64, 64, 32, 32, 2, 2, 0.5, 0.5)
    observer = Observer(grid, GAINS, ((0.5, 0.0), (0.0, 0.0)))
    valid, seen = np.ones((64, 64), dtype=bool), np.ones((32, 32), dtype=bool)
    valid[40:, :20] = False
    seen[20:, :10] = False
    expected = evaluate_full(fused, pan, ms, observer, valid=valid, ms_valid=seen)
    spoiled, broken, lost = fused.copy(), pan.copy(), ms.copy()
    spoiled[:, ~valid], broken[~valid], lost[:, ~seen] = np.nan, 1e6, -32768
    assert evaluate_full(spoiled, broken, lost, observer, valid=valid, ms_valid=seen) == expected
    assert all(math.isfinite(value) for value in expected.values())


def test_the_observed_image_is_consistent_with_itself(scene):
    fused, pan = scene
    observer = Observer.of_toolbox((64, 64), 4, GAINS)
    ms, _ = observe(fused, observer)
    scores = evaluate_full(fused, pan, ms, observer)
    assert scores["r_ergas"] == 0
    assert scores["r_sam"] == 0
    assert scores["r_q2n"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, p: Observer.of_toolbox((64, 63), 4, GAINS), "64×63"),
        (lambda f, p: Observer.of_toolbox((64, 64), 4, GAINS, (0, 0)), "2 MTF gains for 1"),
        (lambda f, p: observe(f[:, 1:], Observer.of_toolbox((64, 64), 4, GAINS)), r"\(63, 64\)"),
        (lambda f, p: observe(f[:1], Observer.of_toolbox((64, 64), 4, GAINS)), "1 fused bands"),
        (lambda f, p: d_rho(f, p[1:], ratio=4), r"\(1, 63, 64\)"),
        (lambda f, p: d_rho(f, p, ratio=0), "ratio must be positive, got 0"),
        (lambda f, p: d_lambda(f, f, exponent=0), "exponent must be positive, got 0"),
        (lambda f, p: d_lambda_k(f, f, gains=(0.3,), ratio=4), "2 fused bands for 1"),
        (lambda f, p: d_s(f, p[1:], f, p), r"\(63, 64\)"),
    ],
)
def test_wrong_use_says_what_it_got(scene, call, message):
    with pytest.raises(ValueError, match=message):
        call(*scene)


@pytest.mark.parametrize("toolbox", [True, False])
def test_register_finds_the_shift_of_each_band(rng, toolbox):
    """Bands observed at known shifts from one fine image, with a hole of nodata."""
    fine = ndimage.gaussian_filter(rng.normal(0, 1, (128, 128)), 1.2)
    pan = 500 + 800 * fine
    truth = ((0.5, -1.0), (0.0, 0.0), (-1.5, 1.5))
    if toolbox:
        observer = Observer.of_toolbox((128, 128), 4, (0.3,) * 3, *truth)
    else:
        observer = Observer(GridMap(128, 128, 31, 31, 4, 4, 3.5, 2.5), (0.3,) * 3, truth)
    ms, _ = observe(np.stack([pan, 0.5 * pan, 2 * pan]), observer)
    valid = np.ones(pan.shape, dtype=bool)
    valid[:20, :20] = False
    pan[~valid] = np.nan
    assert register(observer, pan, ms, pan_gain=0.15, valid=valid).shifts == truth


def test_register_without_common_pixels_leaves_bands_in_place(scene):
    fused, pan = scene
    observer = Observer.of_toolbox((64, 64), 4, GAINS)
    ms, _ = observe(fused, observer)
    nothing = np.zeros(pan.shape, dtype=bool)
    assert register(observer, pan, ms, 0.15, valid=nothing).shifts == ((0, 0), (0, 0))


def test_samples_beyond_pan_do_not_count(scene):
    """MS larger than PAN: two rows above it, one column at its left, three rows below."""
    fused, _ = scene
    grid = GridMap(64, 64, 21, 17, 4, 4, -6.5, -2.5, "georeference")
    _, trusted = observe(fused, Observer(grid, GAINS, ((0.0, 0.0), (0.0, 0.0))))
    expected = np.zeros((21, 17), dtype=bool)
    expected[2:18, 1:] = True
    np.testing.assert_array_equal(trusted, expected)
    _, moved = observe(fused, Observer(grid, GAINS, ((-2.25, 0.0), (0.0, 0.0))))
    np.testing.assert_array_equal(moved[2], np.zeros(17, dtype=bool))


def test_a_band_that_does_not_look_like_pan_takes_the_median_shift(rng):
    fine = ndimage.gaussian_filter(rng.normal(0, 1, (2, 96, 96)), (0, 1.2, 1.2))
    pan, other = 500 + 800 * fine
    truth = ((1.0, -0.5), (1.0, -0.5), (-2.0, 2.0))
    observer = Observer.of_toolbox((96, 96), 4, (0.3,) * 3, *truth)
    ms, _ = observe(np.stack([pan, 2 * pan, other]), observer)
    assert register(observer, pan, ms, pan_gain=0.15).shifts == ((1.0, -0.5),) * 3


def test_toolbox_zeros_are_never_taken_for_a_sample(scene):
    """At ratio 2 a shift of one pixel puts the last sample beyond PAN, where only zeros are."""
    fused, _ = scene
    observer = Observer.of_toolbox((64, 64), 2, GAINS, (1.0, 0.0), (1.0, 0.0))
    seen, trusted = observe(fused, observer)
    assert not trusted[-1].any()
    assert trusted[:-1].all()
    assert (seen[:, :-1] > 0).all()
