"""The stretch of previews: percentiles by hand, invalid pixels out of it and black."""

from __future__ import annotations

import numpy as np
import pytest

from resattn.io.preview import Stretch


def test_percentiles_become_black_and_white() -> None:
    pixels = np.arange(101, dtype=np.uint16)[None, None] * 10
    stretch = Stretch.of(pixels, percentiles=(10, 90))
    assert (stretch.black, stretch.white) == ((100.0,), (900.0,))
    shown = stretch.apply(pixels)
    assert shown.dtype == np.uint8
    assert list(shown[0, 0, [0, 10, 50, 90, 100]]) == [0, 0, 128, 255, 255]


def test_invalid_pixels_neither_count_nor_show() -> None:
    pixels = np.array([[[0.0, 1.0, np.nan, 60000.0]]])
    valid = np.array([[True, True, True, False]])
    stretch = Stretch.of(pixels, valid, percentiles=(0, 100))
    assert (stretch.black, stretch.white) == ((0.0,), (1.0,))
    assert stretch.apply(pixels, valid).tolist() == [[[0, 255, 0, 0]]]


@pytest.mark.parametrize("pixels", [np.full((1, 2, 2), 7.0), np.full((1, 2, 2), np.nan)])
def test_a_band_without_contrast_is_black(pixels: np.ndarray) -> None:
    assert (Stretch.of(pixels).apply(pixels) == 0).all()


def test_another_number_of_bands_is_refused() -> None:
    with pytest.raises(ValueError, match="2 bands for a stretch of 1"):
        Stretch((0.0,), (1.0,)).apply(np.zeros((2, 1, 1)))
