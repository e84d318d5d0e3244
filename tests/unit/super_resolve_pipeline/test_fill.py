"""Holes are continued from their surroundings, alike in a tile and in the whole image."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from resattn.upscale.fill import filled


def holed(seed, height=24, width=31, share=0.6):
    random = np.random.default_rng(seed)
    pixels = random.random((2, height, width), np.float32) + 10
    valid = random.random((2, height, width)) > share
    pixels[~valid] = np.nan
    return pixels, valid


def test_real_pixels_are_left_alone_and_nan_is_gone():
    pixels, valid = holed(0)
    result = filled(pixels, valid, 3, rest=0.5)
    np.testing.assert_array_equal(result[valid], pixels[valid])
    assert np.isfinite(result).all()


def test_a_step_into_a_hole_takes_the_mean_of_its_real_neighbours():
    pixels = np.zeros((1, 3, 3), np.float32)
    valid = np.zeros((1, 3, 3), np.bool_)
    pixels[0, 0, 0], pixels[0, 0, 2] = 2, 6
    valid[0, 0, 0] = valid[0, 0, 2] = True
    result = filled(pixels, valid, 1, rest=-1)
    # Corners of the bottom row touch nothing real; the middle row touches one, both, one.
    np.testing.assert_array_equal(result[0], [[2, 4, 6], [2, 4, 6], [-1, -1, -1]])


def test_beyond_its_reach_there_is_the_rest():
    pixels = np.full((1, 1, 9), 5, np.float32)
    valid = np.zeros((1, 1, 9), np.bool_)
    valid[..., 0] = True
    np.testing.assert_array_equal(filled(pixels, valid, 3, rest=1)[0, 0], [5] * 4 + [1] * 5)


def test_an_image_without_any_real_pixel_is_all_rest():
    pixels = np.full((1, 4, 4), np.nan, np.float32)
    assert (filled(pixels, np.zeros((1, 4, 4), np.bool_), 3, rest=0.5) == 0.5).all()


@given(
    seed=st.integers(0, 1000),
    reach=st.integers(0, 5),
    share=st.floats(0.3, 0.99),
    row=st.integers(0, 20),
    col=st.integers(0, 25),
)
def test_a_tile_read_with_its_reach_is_filled_like_the_whole(seed, reach, share, row, col):
    pixels, valid = holed(seed, share=share)
    whole = filled(pixels, valid, reach, rest=0.5)
    top, left = max(0, row - reach), max(0, col - reach)
    outer = (slice(None), slice(top, row + 4 + reach), slice(left, col + 6 + reach))
    part = filled(pixels[outer], valid[outer], reach, rest=0.5)
    inner = part[:, row - top : row - top + 4, col - left : col - left + 6]
    np.testing.assert_array_equal(inner, whole[:, row : row + 4, col : col + 6])
