"""Float results as pixels of a file: rounding, range, nodata."""

import numpy as np
import pytest

from resattn.pipelines.pixels import to_dtype

EVERYWHERE = np.ones((1, 4), bool)


def row(*values, dtype=np.float32):
    return np.array([[values]], dtype)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", [0, 2, 255, 255]), ("int16", [-3, 2, 300, 32767]), ("uint16", [0, 2, 300, 65535])],
)
def test_rounds_to_even_and_stays_in_range(dtype, expected):
    pixels = to_dtype(row(-3.2, 2.5, 300, np.inf), EVERYWHERE, dtype, None)
    assert pixels.dtype == dtype
    assert pixels.ravel().tolist() == expected


def test_float64_is_not_rounded_twice():
    pixels = to_dtype(row(1.4999999999, 0, 0, 0, dtype=np.float64), EVERYWHERE, "uint8", None)
    assert pixels[0, 0, 0] == 1


def test_32_bit_limits_survive():
    pixels = to_dtype(row(1e12, 2147483520, 0, -1e12), EVERYWHERE, "int32", None)
    assert pixels.ravel().tolist() == [2**31 - 1, 2147483520, 0, -(2**31)]


@pytest.mark.parametrize(("nodata", "moved"), [(0, 1), (65535, 65534)])
def test_a_valid_pixel_never_takes_the_nodata_value(nodata, moved):
    valid = np.array([[True, True, False, True]])
    pixels = to_dtype(row(nodata, 700, 700, nodata), valid, "uint16", nodata)
    assert pixels.ravel().tolist() == [moved, 700, nodata, moved]


def test_validity_may_differ_by_band():
    values = np.full((2, 1, 4), 9, np.float32)
    valid = np.array([[[True, False, True, True]], [[False, True, True, True]]])
    pixels = to_dtype(values, valid, "uint8", 255)
    assert pixels[:, 0, :2].tolist() == [[9, 255], [255, 9]]
    assert (pixels[:, 0, 2:] == 9).all()
