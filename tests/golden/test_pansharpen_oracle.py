"""Landsat images with stored scores: the reference still gives them, and so does the package."""

from __future__ import annotations

import json

import numpy as np
import pansharpen_reference as oracle
import pytest

from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer

STORED = json.loads((oracle.FOLDER / "scores.json").read_text())
# Filter coefficients are known to 12 digits and MS is enlarged in single precision.
TOLERANCE = {"reduced": 1e-9, "full": 1e-6}


@pytest.fixture
def observer():
    return Observer.of_toolbox((96, 96), oracle.RATIO, (oracle.GAIN,) * 3, *oracle.SHIFTS)


@pytest.mark.parametrize("method", oracle.METHODS)
def test_reduced_resolution(method):
    ours = evaluate_reduced(
        oracle.read(f"reduced_{method}.tif"),
        oracle.read("ref.tif"),
        ratio=oracle.RATIO,
        peak=oracle.PEAK,
    )
    assert ours == pytest.approx(STORED["reduced"][method], abs=TOLERANCE["reduced"])


@pytest.mark.parametrize("method", oracle.METHODS)
def test_full_resolution(method, observer):
    ours = evaluate_full(
        oracle.read(f"full_{method}.tif"), oracle.read("pan.tif"), oracle.read("ms.tif"), observer
    )
    assert ours == pytest.approx(STORED["full"][method], abs=TOLERANCE["full"])


def test_the_independent_reference_still_gives_the_stored_values():
    for kind, methods in oracle.scores().items():
        for method, values in methods.items():
            assert values == pytest.approx(STORED[kind][method], abs=1e-12)


def test_masking_a_margin_leaves_the_scores_of_the_rest():
    """Whole blocks masked, so that the crop has the same blocks."""
    fused, reference = oracle.read("reduced_ratio.tif"), oracle.read("ref.tif")
    valid = np.zeros(reference.shape[1:], dtype=bool)
    valid[:32] = True
    fused[:, ~valid] = np.nan
    masked = evaluate_reduced(fused, reference, ratio=oracle.RATIO, peak=oracle.PEAK, valid=valid)
    cropped = oracle.reduced(fused[:, :32], reference[:, :32])
    for name in ("ergas", "sam", "psnr", "rmse", "ssim"):
        assert masked[name] == pytest.approx(cropped[name], rel=1e-9), name
