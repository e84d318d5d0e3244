"""MS-SSIM against torchmetrics and against values printed by pytorch-msssim."""

from __future__ import annotations

import csv
import math

import cv2
import numpy as np
import pytest
import torch

from resattn.io.image import read_image
from resattn.metrics.ms_ssim import LEAST_SIDE, ms_ssim


def image(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.random((3, height // 16 + 2, width // 16 + 2))
    smooth = coarse.repeat(16, 1).repeat(16, 2)[:, :height, :width]
    return 255 * (0.7 * smooth + 0.3 * rng.random((3, height, width)))


@pytest.mark.parametrize("strength", [3, 30])
def test_equal_to_torchmetrics_at_even_sides(strength):
    from torchmetrics.functional.image import (  # 1.7 CPU s that no other test needs
        multiscale_structural_similarity_index_measure,
    )

    truth = image(192, 224)
    estimate = np.clip(truth + np.random.default_rng(1).normal(0, strength, truth.shape), 0, 255)
    expected = np.mean([
        multiscale_structural_similarity_index_measure(
            torch.from_numpy(estimate[None, [b]]), torch.from_numpy(truth[None, [b]]),
            data_range=255.0, normalize="relu",
        )
        for b in range(3)
    ])  # fmt: skip
    assert ms_ssim(estimate, truth, peak=255) == pytest.approx(expected, abs=2e-4)


@pytest.mark.shared
def test_equal_to_the_published_way_of_measuring(shared):
    """The stored anchors were measured by pytorch-msssim; OpenCV's JPEG is the same as theirs."""
    truth = read_image(shared / "kodak" / "kodim23.png").pixels
    with (shared / "kodak" / "anchors_kodak.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["codec"] == "jpeg420-default"]
    row = next(r for r in rows if r["image"].startswith("kodim23") and r["setting"] == "50")
    coded = cv2.imencode(".jpg", truth[::-1].transpose(1, 2, 0), [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR).transpose(2, 0, 1)[::-1]
    assert ms_ssim(decoded, truth, peak=255) == pytest.approx(float(row["ms_ssim"]), abs=1e-4)


def test_odd_sides_and_bounds():
    truth = image(203, 171)
    assert ms_ssim(truth, truth, peak=255) == 1.0
    assert 0 <= ms_ssim(255 - truth, truth, peak=255) < 0.3
    assert math.isnan(ms_ssim(truth[:, : LEAST_SIDE - 1], truth[:, : LEAST_SIDE - 1], peak=255))
    with pytest.raises(ValueError, match="peak"):
        ms_ssim(truth, truth, peak=0)
