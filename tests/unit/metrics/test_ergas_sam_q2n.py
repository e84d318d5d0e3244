"""Independent forms of the three formulas: per pixel in Python, quaternions written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resattn.metrics.ergas import ergas, running_ergas
from resattn.metrics.q2n import q2n, running_q2n
from resattn.metrics.running import score_windows
from resattn.metrics.sam import running_sam, sam


def ergas_by_hand(estimate, reference, ratio):
    total = 0.0
    for a, b in zip(estimate, reference, strict=True):
        rmse = math.sqrt(sum((x - y) ** 2 for x, y in zip(a.flat, b.flat, strict=True)) / a.size)
        total += (rmse / (math.fsum(b.flat) / b.size)) ** 2
    return 100 / ratio * math.sqrt(total / len(estimate))


def sam_by_hand(estimate, reference):
    angles = []
    bands = len(reference)
    spectra = zip(estimate.reshape(bands, -1).T, reference.reshape(bands, -1).T, strict=True)
    for a, b in spectra:
        if any(a) and any(b):
            angles.append(math.acos(min(1.0, a @ b / math.sqrt((a @ a) * (b @ b)))))
    return math.degrees(math.fsum(angles) / len(angles))


def hamilton(p, q):
    """The textbook quaternion product; p and q are (4, ...)."""
    a1, b1, c1, d1 = p
    a2, b2, c2, d2 = q
    return np.array(
        [
            a1 * a2 - b1 * b2 - c1 * c2 - d1 * d2,
            a1 * b2 + b1 * a2 + c1 * d2 - d1 * c2,
            a1 * c2 - b1 * d2 + c1 * a2 + d1 * b2,
            a1 * d2 + b1 * c2 - c1 * b2 + d1 * a2,
        ]
    )


def octonion(p, q):
    """Cayley's product of two octonions as pairs of quaternions; p and q are (8, ...)."""

    def star(x):
        return np.concatenate([x[:1], -x[1:]])

    a, b, c, d = p[:4], p[4:], q[:4], q[4:]
    return np.concatenate(
        [hamilton(a, c) - hamilton(star(d), b), hamilton(d, a) + hamilton(b, star(c))]
    )


def q2n_by_hand(estimate, reference, multiply, parts, block=32):
    """Block loop, hypercomplex product at every pixel, then moments: the order of the paper."""
    size = block * block
    scores = []
    for row in range(0, reference.shape[1], block):
        for col in range(0, reference.shape[2], block):
            z = np.ones((parts, size))
            w = np.ones((parts, size))
            for band in range(len(reference)):
                g = reference[band, row : row + block, col : col + block].ravel()
                f = estimate[band, row : row + block, col : col + block].ravel()
                z[band] = (g - g.mean()) / g.std(ddof=1) + 1
                w[band] = (f - g.mean()) / g.std(ddof=1) + 1
            w[1:] *= -1
            z_mean, w_mean = z.mean(axis=1), w.mean(axis=1)
            unbiased = size / (size - 1)
            covariance = unbiased * (multiply(z, w).mean(axis=1) - multiply(z_mean, w_mean))
            z_norm, w_norm = np.linalg.norm(z_mean), np.linalg.norm(w_mean)
            power = np.square(z).sum(axis=0).mean() + np.square(w).sum(axis=0).mean()
            variance = unbiased * (power - z_norm**2 - w_norm**2)
            bias = 2 * z_norm * w_norm / (z_norm**2 + w_norm**2)
            scores.append(2 * np.linalg.norm(covariance) / variance * bias)
    return np.mean(scores)


def test_ergas_is_the_formula(make_pair):
    estimate, reference = make_pair(3, 20, 24)
    expected = ergas_by_hand(estimate, reference, 4)
    assert ergas(estimate, reference, ratio=4) == pytest.approx(expected, rel=1e-12)


def test_sam_is_the_formula(make_pair):
    estimate, reference = make_pair(5, 20, 24)
    estimate[:, 3, 4] = 0
    expected = sam_by_hand(estimate, reference)
    assert sam(estimate, reference) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("bands", "parts"), [(4, 4), (3, 4), (8, 8), (5, 8)])
def test_q2n_is_the_hypercomplex_formula(make_pair, bands, parts):
    estimate, reference = make_pair(bands)
    multiply = hamilton if parts == 4 else octonion
    expected = q2n_by_hand(estimate, reference, multiply, parts)
    assert q2n(estimate, reference) == pytest.approx(expected, rel=1e-9)


def test_q2n_of_one_band_is_the_scaled_universal_index(make_pair):
    estimate, reference = make_pair(1, 32, 32)
    expected = q2n_by_hand(estimate, reference, lambda p, q: p * q, 1)
    assert q2n(estimate, reference) == pytest.approx(expected, rel=1e-9)


def test_q2n_mirrors_the_border_with_its_edge(make_pair):
    estimate, reference = make_pair(4, 80, 40)

    def mirrored(image):
        rows = np.concatenate([image, image[:, :-17:-1]], axis=1)
        return np.concatenate([rows, rows[:, :, :-25:-1]], axis=2)

    whole = q2n(mirrored(estimate), mirrored(reference))
    assert q2n(estimate, reference) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("bands", [1, 2, 3, 8, 16])
def test_identity_is_perfect(make_pair, bands):
    _, reference = make_pair(bands, 40, 70)
    assert ergas(reference, reference, ratio=4) == 0
    assert sam(reference, reference) == 0
    assert q2n(reference, reference) == pytest.approx(1, abs=1e-12)


def test_unit_of_the_data_does_not_matter(make_pair):
    estimate, reference = make_pair(4)
    for function in (sam, q2n, lambda f, g: ergas(f, g, ratio=4)):
        expected = function(estimate, reference)
        assert function(estimate * 1e-4, reference * 1e-4) == pytest.approx(expected, rel=1e-9)


def test_band_order_does_not_matter_to_ergas_and_sam(make_pair):
    estimate, reference = make_pair(4)
    order = [2, 0, 3, 1]
    for function in (sam, lambda f, g: ergas(f, g, ratio=4)):
        expected = function(estimate, reference)
        assert function(estimate[order], reference[order]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -32768.0, 1e30])
def test_masked_pixels_do_not_matter(make_pair, rng, junk):
    estimate, reference = make_pair(4)
    valid = rng.random(reference.shape[1:]) > 0.3
    spoiled, broken = estimate.copy(), reference.copy()
    spoiled[:, ~valid] = junk
    broken[:, ~valid] = -junk
    for function in (sam, q2n, lambda f, g, valid: ergas(f, g, ratio=4, valid=valid)):
        expected = function(estimate, reference, valid=valid)
        assert function(spoiled, broken, valid=valid) == expected


def test_masked_moments_are_those_of_the_valid_pixels(make_pair):
    """A fully masked right half leaves the score of the left half."""
    estimate, reference = make_pair(4, 64, 64)
    valid = np.zeros((64, 64), dtype=bool)
    valid[:, :32] = True
    assert q2n(estimate, reference, valid=valid) == pytest.approx(
        q2n(estimate[:, :, :32], reference[:, :, :32]), rel=1e-12
    )
    assert ergas(estimate, reference, ratio=4, valid=valid) == pytest.approx(
        ergas(estimate[:, :, :32], reference[:, :, :32], ratio=4), rel=1e-12
    )


def test_blocks_mostly_masked_are_left_out(make_pair):
    estimate, reference = make_pair(4, 32, 64)
    valid = np.ones((32, 64), dtype=bool)
    valid[:20, 32:] = False
    assert q2n(estimate, reference, valid=valid) == pytest.approx(
        q2n(estimate[:, :, :32], reference[:, :, :32]), rel=1e-12
    )


def test_nothing_valid_is_nan(make_pair):
    estimate, reference = make_pair(2, 32, 32)
    valid = np.zeros((32, 32), dtype=bool)
    assert math.isnan(ergas(estimate, reference, ratio=4, valid=valid))
    assert math.isnan(sam(estimate, reference, valid=valid))
    assert math.isnan(q2n(estimate, reference, valid=valid))


def test_flat_blocks_are_judged_by_brightness():
    reference = np.full((4, 32, 32), 100.0)
    assert q2n(reference, reference) == pytest.approx(1)
    assert q2n(reference + 1, reference) < 1e-6  # a flat reference band has no scale: eps


def test_ergas_of_a_band_with_mean_zero_is_infinite():
    reference = np.array([[[1.0, -1.0]]])
    assert math.isinf(ergas(reference + 1, reference, ratio=2))
    assert ergas(reference, reference, ratio=2) == 0


@pytest.mark.parametrize("size", [32, 64, 96])
def test_windows_give_the_score_of_the_whole(make_pair, rng, size):
    height, width = 135, 167
    estimate, reference = make_pair(5, height, width)
    valid = rng.random((height, width)) > 0.1
    totals = running_ergas(4), running_sam(), running_q2n()
    for window in score_windows(height, width, size, 32):
        rows, cols = window.slices
        for total in totals:
            total.update(estimate[:, rows, cols], reference[:, rows, cols], valid[rows, cols])
    assert totals[0].compute() == pytest.approx(
        ergas(estimate, reference, ratio=4, valid=valid), rel=1e-12
    )
    assert totals[1].compute() == pytest.approx(sam(estimate, reference, valid=valid), rel=1e-12)
    assert totals[2].compute() == pytest.approx(q2n(estimate, reference, valid=valid), rel=1e-12)


def test_windows_cover_a_scene_once():
    seen = np.zeros((135, 167), dtype=int)
    for window in score_windows(135, 167, 64, 32):
        seen[window.slices] += 1
        assert window.row % 32 == window.col % 32 == 0
        assert min(window.height, window.width) >= 32
    assert (seen == 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, g: ergas(f[:2], g, ratio=4), r"\(2, 32, 32\).*\(3, 32, 32\)"),
        (lambda f, g: ergas(f, g, ratio=0), "positive, got 0"),
        (lambda f, g: sam(f, g, valid=np.ones((3, 3))), r"\(3, 3\)"),
        (lambda f, g: sam(f * np.nan, g), "estimate has 3072 non-finite"),
        (lambda f, g: sam(f[0, 0], g[0, 0]), r"got shape \(32,\)"),
        (lambda f, g: q2n(f, g, block=1), "at least 2 pixels, got 1"),
        (lambda f, g: q2n(f, g, padding="zero"), "got 'zero'"),
        (lambda f, g: list(score_windows(64, 64, 48, 32)), "48 is not a multiple"),
        (lambda f, g: running_sam().compute(), "no window"),
    ],
)
def test_wrong_use_says_what_it_got(make_pair, call, message):
    with pytest.raises(ValueError, match=message):
        call(*make_pair(3, 32, 32))
