"""Levels map a file's values to the network's and back without losing any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resattn.errors import UserError
from resattn.pipelines.levels import parse_range
from resattn.upscale.levels import Levels


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int8"])
def test_every_value_of_a_small_integer_type_survives(dtype):
    limits = np.iinfo(dtype)
    values = np.arange(limits.min, limits.max + 1).astype(dtype)[None, None]
    for levels in (Levels.of_type(dtype, 1), Levels.same(3.5, 777.25, 1)):
        back = levels.from_unit(levels.to_unit(values), dtype)
        np.testing.assert_array_equal(np.rint(back), values)


def test_large_integers_keep_the_precision_of_their_range():
    values = np.array([[[2**31 - 1, 2**31 - 100, 2**31 - 50_000]]], np.uint32)
    levels = Levels.same(2.0**31 - 100_000, 2.0**31, 1)
    back = levels.from_unit(levels.to_unit(values), "uint32")
    np.testing.assert_array_equal(np.rint(back), values)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(-3, 3))
def test_black_is_zero_white_is_one_and_nothing_is_cut(black, span, unit):
    levels = Levels.same(black, black + span, 1)
    value = np.full((1, 1, 1), black + unit * span)
    np.testing.assert_allclose(levels.to_unit(value), unit, atol=1e-5 + 1e-9 * abs(black) / span)


def test_outliers_do_not_move_measured_levels():
    samples = np.linspace(100, 200, 10_001)
    samples[:3], samples[-3:] = -1e9, 1e9
    levels = Levels.measured([samples])
    assert 99 < levels.black[0] < 101
    assert 199 < levels.white[0] < 201


@pytest.mark.parametrize("samples", [[], [7.0] * 5, [0.0], [-4.0] * 3])
def test_bands_without_contrast_have_levels_too(samples):
    levels = Levels.measured([np.array(samples, np.float64)])
    assert np.isfinite(levels.to_unit(np.full((1, 1, 1), 7.0))).all()


def test_black_above_white_is_refused():
    with pytest.raises(ValueError, match="must lie below"):
        Levels((0.0, 5.0), (1.0, 5.0))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("auto", "auto"), ("11bit", (0, 2047)), ("0,10000", (0, 10_000)), ("-1.5,2e3", (-1.5, 2000))],
)
def test_ranges_are_read(text, meaning):
    assert parse_range(text) == meaning


@pytest.mark.parametrize("text", ["", "full", "5", "9,3", "0,nan", "0,inf", "1,2,3", "0bit"])
def test_other_ranges_are_refused_with_the_forms(text):
    with pytest.raises(UserError, match="11bit") as refused:
        parse_range(text)
    assert refused.value.code == "E208"
