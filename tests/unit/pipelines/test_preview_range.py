"""Black and white of a preview, whatever numbers the bands hold; a warning fails the test."""

from __future__ import annotations

import numpy as np
import pytest

from resattn.pipelines.preview import _limits, _to_uint8

RAMP = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8).repeat(3, 0)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1, 1e9, 1e38])
def test_a_ramp_of_any_scale_fills_the_range(scale: float) -> None:
    image = (RAMP * np.float32(scale)).astype(np.float32)
    pixels = _to_uint8(image, *_limits(image, np.ones((8, 8), bool)))
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels[0].ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, 1e-30, -5, 1e9, 3e38, -3e38])
def test_a_flat_band_is_black(value: float) -> None:
    image = np.full((3, 8, 8), value, np.float32)
    assert not _to_uint8(image, *_limits(image, np.ones((8, 8), bool))).any()


@pytest.mark.parametrize("hole", [-3.4e38, np.inf, -np.inf, np.nan])
def test_what_is_no_pixel_disturbs_nothing(hole: float) -> None:
    image, valid = RAMP * np.float32(1e-3), np.ones((8, 8), bool)
    image[:, 0, 0], valid[0, 0] = hole, False
    low, high = _limits(image, valid)
    assert (high <= 1e-3).all()
    assert _to_uint8(image, low, high)[0, 0, 0] in (0, 255)
