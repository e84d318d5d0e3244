"""A turn of an image, of a window of it and of its size agree."""

from __future__ import annotations

import numpy as np
import pytest

from resattn.tiling import Window
from resattn.upscale.turns import ALL_EIGHT, UPRIGHT

IMAGE = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)


@pytest.mark.parametrize("turn", ALL_EIGHT)
def test_undo_brings_image_and_window_back(turn):
    np.testing.assert_array_equal(turn.undo(turn.apply(IMAGE)), IMAGE)
    window = Window(1, 2, 3, 4)
    assert turn.undo_window(turn.window(window, 5, 7), 5, 7) == window


@pytest.mark.parametrize("turn", ALL_EIGHT)
def test_a_turned_window_shows_the_turned_pixels(turn):
    window = Window(1, 2, 3, 4)
    turned = turn.apply(IMAGE)
    assert turned.shape[1:] == turn.size(5, 7)
    there = turned[(slice(None), *turn.window(window, 5, 7).slices)]
    np.testing.assert_array_equal(there, turn.apply(IMAGE[(slice(None), *window.slices)]))


def test_the_eight_are_different_and_the_first_is_none():
    square = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    assert len({turn.apply(square).tobytes() for turn in ALL_EIGHT}) == 8
    (upright,) = UPRIGHT
    np.testing.assert_array_equal(upright.apply(square), square)
