"""Resampling against three resamplers that are not ours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resattn.degradation import downscale
from resattn.tiling import Window
from resattn.upscale.resize import BICUBIC, LANCZOS, Resampler


def resized(image, target, kernel=BICUBIC):
    resampler = Resampler(image.shape[-2:], target, kernel)
    whole = Window(0, 0, *target)
    return resampler.apply(image[(slice(None), *resampler.need(whole).slices)], whole)


def noise(height, width, bands=2, seed=0):
    return np.random.default_rng(seed).random((bands, height, width), np.float32)


@pytest.mark.parametrize("target", [(40, 66), (53, 71), (97, 160), (31, 57)])
def test_bicubic_is_torch_s_antialiased_bicubic_away_from_the_border(target):
    image = noise(60, 99)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None], size=target, mode="bicubic", antialias=True
    )[0].numpy()
    inner = (slice(None), slice(8, -8), slice(8, -8))
    # torch computes positions in float32: 1e-5 of a pixel off at 100 pixels.
    np.testing.assert_allclose(resized(image, target)[inner], expected[inner], atol=3e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_reducing_is_the_published_degradation_up_to_its_rounding(scale):
    image = np.random.default_rng(1).integers(0, 256, (3, 12 * scale, 11 * scale), dtype=np.uint8)
    ours = resized(image.astype(np.float32), (12, 11))
    theirs = downscale(torch.from_numpy(image), scale).numpy()
    # The published one rounds to 8 bits after each of its two passes.
    assert np.abs(np.clip(ours, 0, 255) - theirs).max() <= 1.2


@pytest.mark.parametrize("scale", [2, 4])
def test_lanczos_is_opencv_s_away_from_the_border(scale):
    image = noise(40, 50)
    expected = cv2.resize(
        image.transpose(1, 2, 0), None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4
    ).transpose(2, 0, 1)
    border = 5 * scale
    inner = (slice(None), slice(border, -border), slice(border, -border))
    ours = resized(image, (40 * scale, 50 * scale), LANCZOS)
    np.testing.assert_allclose(ours[inner], expected[inner], atol=2e-3)


@given(
    source=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    target=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_a_window_alone_is_the_same_part_of_the_whole(source, target, seed, data):
    image = noise(*source, seed=seed)
    whole = resized(image, target, LANCZOS)
    row, col = (data.draw(st.integers(0, length - 1)) for length in target)
    height = data.draw(st.integers(1, target[0] - row))
    width = data.draw(st.integers(1, target[1] - col))
    window = Window(row, col, height, width)
    resampler = Resampler(source, target, LANCZOS)
    need = resampler.need(window)
    part = resampler.apply(image[(slice(None), *need.slices)], window)
    assert need.intersection(Window(0, 0, *source)) == need
    np.testing.assert_array_equal(part, whole[(slice(None), *window.slices)])


@given(
    source=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    target=st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_a_constant_image_stays_constant(source, target):
    image = np.full((1, *source), 0.7, np.float32)
    np.testing.assert_allclose(resized(image, target), 0.7, rtol=1e-5)
