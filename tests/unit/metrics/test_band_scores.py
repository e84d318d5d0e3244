"""RMSE, PSNR, Q, SSIM and SCC against libraries that are right, or the formula pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from resattn.metrics.error import psnr, rmse, running_psnr, running_rmse
from resattn.metrics.scc import scc
from resattn.metrics.ssim import ssim
from resattn.metrics.uqi import q

SCORES = {
    "rmse": rmse,
    "psnr": lambda f, g, **options: psnr(f, g, peak=2047, **options),
    "q": q,
    "ssim": lambda f, g, **options: ssim(f, g, peak=2047, **options),
    "scc": scc,
}
PERFECT = {"rmse": 0, "psnr": math.inf, "q": 1, "ssim": 1, "scc": 1}


def q_by_hand(estimate, reference, block):
    bands = []
    for f, g in zip(estimate, reference, strict=True):
        scores = []
        for row in range(0, g.shape[0], block):
            for col in range(0, g.shape[1], block):
                x = f[row : row + block, col : col + block].ravel()
                y = g[row : row + block, col : col + block].ravel()
                c = np.cov(x, y)
                top = 4 * c[0, 1] * x.mean() * y.mean()
                scores.append(top / ((c[0, 0] + c[1, 1]) * (x.mean() ** 2 + y.mean() ** 2)))
        bands.append(np.mean(scores))
    return np.mean(bands)


def edges(band):
    """Sobel magnitude by scipy, whose 'constant' mode is the toolbox's zero border."""
    inner = band[1:-1, 1:-1]
    down = ndimage.sobel(inner, axis=0, mode="constant")
    across = ndimage.sobel(inner, axis=1, mode="constant")
    return np.sqrt(down**2 + across**2)


def test_rmse_and_psnr_are_the_formula(make_pair):
    estimate, reference = make_pair(3, 17, 23)
    squares = [(x - y) ** 2 for x, y in zip(estimate.flat, reference.flat, strict=True)]
    mse = math.fsum(squares) / len(squares)
    assert rmse(estimate, reference) == pytest.approx(math.sqrt(mse), rel=1e-12)
    expected = 10 * math.log10(2047**2 / mse)
    assert psnr(estimate, reference, peak=2047) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [(64, 64), (40, 70)])
def test_q_is_the_formula(make_pair, size):
    estimate, reference = make_pair(3, *size)
    expected = q_by_hand(estimate, reference, 32)
    assert q(estimate, reference) == pytest.approx(expected, rel=1e-10)


def test_q_of_a_flat_bright_area_keeps_its_digits(rng):
    """E[x²] − E[x]² in single precision gives −1e13 here."""
    reference = 1500 + rng.normal(0, 0.3, (1, 32, 32))
    estimate = 1500 + rng.normal(0, 0.3, (1, 32, 32))
    expected = q_by_hand(estimate, reference, 32)
    assert q(estimate, reference) == pytest.approx(expected, rel=1e-9)
    assert abs(expected) < 0.1


def test_q_of_flat_blocks_is_the_brightness_term():
    reference = np.full((2, 32, 32), 10.0)
    assert q(2 * reference, reference) == pytest.approx(0.8)
    assert q(0 * reference, 0 * reference) == 1


def test_ssim_is_that_of_scikit_image(make_pair):
    estimate, reference = make_pair(3, 33, 47)
    expected = [
        structural_similarity(f, g, data_range=2047)
        for f, g in zip(estimate, reference, strict=True)
    ]
    assert ssim(estimate, reference, peak=2047) == pytest.approx(np.mean(expected), rel=1e-10)


def test_scc_is_the_correlation_of_edges(make_pair):
    estimate, reference = make_pair(3, 33, 47)
    x = np.concatenate([edges(band).ravel() for band in estimate])
    y = np.concatenate([edges(band).ravel() for band in reference])
    expected = math.fsum(x * y) / math.sqrt(math.fsum(x * x) * math.fsum(y * y))
    assert scc(estimate, reference) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_identity_is_perfect(make_pair, name):
    _, reference = make_pair(3, 40, 40)
    assert SCORES[name](reference, reference) == pytest.approx(PERFECT[name], abs=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_band_order_does_not_matter(make_pair, name):
    estimate, reference = make_pair(4)
    order = [3, 1, 0, 2]
    expected = SCORES[name](estimate, reference)
    assert SCORES[name](estimate[order], reference[order]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("junk", [np.nan, -1e9])
def test_masked_pixels_do_not_matter(make_pair, name, junk):
    estimate, reference = make_pair(3)
    valid = np.ones(reference.shape[1:], dtype=bool)
    valid[20:30, 10:50] = False
    spoiled, broken = estimate.copy(), reference.copy()
    spoiled[:, ~valid] = junk
    broken[:, ~valid] = -junk
    expected = SCORES[name](estimate, reference, valid=valid)
    assert SCORES[name](spoiled, broken, valid=valid) == expected
    assert expected != SCORES[name](estimate, reference)


@pytest.mark.parametrize("name", ["rmse", "psnr", "ssim"])
def test_a_masked_margin_is_a_crop(make_pair, name):
    estimate, reference = make_pair(3)
    valid = np.zeros(reference.shape[1:], dtype=bool)
    valid[8:-8, 8:-8] = True
    expected = SCORES[name](estimate[:, 8:-8, 8:-8], reference[:, 8:-8, 8:-8])
    assert SCORES[name](estimate, reference, valid=valid) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_nothing_valid_is_nan(make_pair, name):
    estimate, reference = make_pair(2, 32, 32)
    assert math.isnan(SCORES[name](estimate, reference, valid=np.zeros((32, 32), dtype=bool)))


def test_windows_give_the_error_of_the_whole(make_pair, rng):
    estimate, reference = make_pair(3, 50, 60)
    valid = rng.random((50, 60)) > 0.2
    totals = running_rmse(), running_psnr(2047)
    for rows in (slice(0, 17), slice(17, 50)):
        for total in totals:
            total.update(estimate[:, rows], reference[:, rows], valid[rows])
    assert totals[0].compute() == pytest.approx(rmse(estimate, reference, valid=valid))
    assert totals[1].compute() == pytest.approx(psnr(estimate, reference, peak=2047, valid=valid))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, g: psnr(f, g, peak=0), "peak must be positive, got 0"),
        (lambda f, g: ssim(f, g, peak=-1), "peak must be positive, got -1"),
        (lambda f, g: q(f, g, block=0), "at least 2 pixels, got 0"),
    ],
)
def test_wrong_use_says_what_it_got(make_pair, call, message):
    with pytest.raises(ValueError, match=message):
        call(*make_pair(2, 32, 32))
