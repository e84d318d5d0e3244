"""Scores exist for images of any size, and an image compared with itself is perfect."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.fusion.geometry import GridMap
from resattn.metrics.align import register
from resattn.metrics.consistency import observe
from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer
from resattn.metrics.table import METRICS

SMALL = {"ssim", "scc", "q"}
"""Scores of neighbouring pixels: undefined on images that are smaller than their window."""


@settings(max_examples=20, deadline=None)
@given(
    bands=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_an_image_is_perfect_beside_itself(bands, height, width, seed):
    image = np.random.default_rng(seed).uniform(1, 2047, (bands, height, width))
    for name, value in evaluate_reduced(image, image, ratio=4, peak=2047).items():
        if name in SMALL and min(height, width) < 7 and math.isnan(value):
            continue
        assert value == pytest.approx(METRICS[name].perfect, abs=1e-9), name


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    ratio=st.sampled_from([1.5, 2, 2.7, 4, 6]),
    offset=st.floats(-3, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_the_camera_saw_is_consistent_on_any_grid(height, width, ratio, offset, seed):
    rng = np.random.default_rng(seed)
    pan_height, pan_width = math.ceil(height * ratio), math.ceil(width * ratio)
    grid = GridMap(pan_height, pan_width, height, width, ratio, ratio, offset, -offset)
    observer = Observer(grid, (0.3, 0.2), ((0.5, 0.0), (0.0, -0.25)))
    fused = rng.uniform(1, 2047, (2, pan_height, pan_width))
    ms, trusted = observe(fused, observer)
    scores = evaluate_full(fused, fused[:1], ms, observer)
    if trusted.all():
        assert scores["r_ergas"] == 0
        assert scores["r_q2n"] == pytest.approx(1)
    assert all(math.isfinite(scores[name]) for name in ("d_rho", "d_s", "d_lambda", "hqnr"))


def test_a_scene_smaller_than_the_search_window_keeps_its_bands_in_place(rng):
    observer = Observer.of_toolbox((4, 4), 2, (0.3, 0.2), (0.5, 0.0), (0.0, 0.5))
    ms = rng.uniform(1, 2047, (2, 2, 2))
    assert register(observer, rng.uniform(1, 2047, (4, 4)), ms, 0.15).shifts == ((0, 0), (0, 0))
