import math

import numpy as np
import pytest

from resattn.metrics.luma import luma, psnr_y, ssim_y


def noisy(seed=0, side=40):
    random = np.random.default_rng(seed)
    reference = random.integers(0, 256, (3, side, side)).astype(np.uint8)
    noise = random.normal(0, 20, reference.shape)
    return np.clip(reference + noise, 0, 255).astype(np.uint8), reference


def test_luma_of_the_primaries():
    colours = np.eye(3).reshape(3, 1, 3) * 255
    np.testing.assert_allclose(luma(colours), [[81.481, 144.553, 40.966]])
    np.testing.assert_allclose(luma(np.full((3, 1, 1), 255)), [[235.0]])


def test_grey_is_three_equal_bands():
    grey = np.arange(30).reshape(5, 6)
    np.testing.assert_array_equal(luma(grey), luma(np.stack([grey] * 3)))


def test_psnr_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    estimate, reference = noisy()
    expected = metrics.peak_signal_noise_ratio(
        luma(reference)[4:-4, 4:-4], luma(estimate)[4:-4, 4:-4], data_range=255
    )
    assert psnr_y(estimate, reference, border=4) == pytest.approx(expected, abs=1e-9)


def test_ssim_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    estimate, reference = noisy()
    _, similarity = metrics.structural_similarity(
        luma(reference),
        luma(estimate),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    # scikit-image pads the map to the image; the published scripts keep what needs no padding.
    expected = similarity[5:-5, 5:-5].mean()
    assert ssim_y(estimate, reference) == pytest.approx(expected, abs=1e-9)


def test_equal_images_are_perfect():
    _, image = noisy()
    assert psnr_y(image, image) == math.inf
    assert ssim_y(image, image) == pytest.approx(1.0)


def test_border_pixels_do_not_count():
    estimate, reference = noisy()
    changed = estimate.copy()
    changed[:, :3] = 0
    changed[:, :, -3:] = 255
    assert psnr_y(changed, reference, border=3) == psnr_y(estimate, reference, border=3)
    assert psnr_y(changed, reference, border=2) != psnr_y(estimate, reference, border=2)


@pytest.mark.parametrize("border", [-1, 20, 21])
def test_border_that_leaves_nothing_is_refused(border):
    with pytest.raises(ValueError, match="leaves nothing of 40 x 40"):
        psnr_y(*noisy(), border=border)


def test_ssim_needs_a_whole_window():
    assert math.isnan(ssim_y(np.zeros((3, 10, 50)), np.zeros((3, 10, 50))))


def test_two_bands_are_refused():
    with pytest.raises(ValueError, match="1 or 3 bands, got 2"):
        luma(np.zeros((2, 4, 4)))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "expected"), [("Set5", (28.89, 0.8202)), ("Set14", (26.36, 0.7144))]
)
def test_published_lanczos_scores(shared, name, expected):
    cv2 = pytest.importorskip("cv2")

    def read(path):
        return cv2.imdecode(np.fromfile(path, np.uint8), 1)[..., ::-1]

    scores = []
    for high in sorted((shared / "sr_test" / name / "image_SRF_4").glob("*_HR.png")):
        low = read(high.with_name(high.name.replace("_HR", "_LR")))
        estimate = cv2.resize(low, None, fx=4, fy=4, interpolation=cv2.INTER_LANCZOS4)
        pair = estimate.transpose(2, 0, 1), read(high).transpose(2, 0, 1)
        scores.append((psnr_y(*pair, border=4), ssim_y(*pair, border=4)))
    psnr, ssim = np.mean(scores, axis=0)
    assert psnr == pytest.approx(expected[0], abs=0.005)
    assert ssim == pytest.approx(expected[1], abs=0.00006)
