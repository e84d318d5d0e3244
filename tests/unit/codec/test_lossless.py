"""Exact tiles: every type and size comes back bit for bit, and damage is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.codec.damage import DamageError
from resattn.codec.lossless import pack, samples_crc, unpack

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(TYPES), st.integers(1, 4), st.integers(1, 20), st.integers(1, 20),
    st.integers(0, 99),
)  # fmt: skip
def test_any_samples_return(dtype, bands, height, width, seed):
    raw = np.random.default_rng(seed).bytes(bands * height * width * np.dtype(dtype).itemsize)
    pixels = np.frombuffer(raw, dtype).reshape(bands, height, width)  # NaN and −0 among them
    found = unpack(pack(pixels), pixels.shape, dtype)
    assert found.dtype == pixels.dtype
    assert found.tobytes() == pixels.tobytes()


def ramp(bands=3, dtype="uint8"):
    rows, cols = np.mgrid[:200, :200]
    return np.stack([(rows * 3 + cols * 2 + 9 * b) % 251 for b in range(bands)]).astype(dtype)


def test_smooth_samples_become_small():
    assert len(pack(ramp())) < ramp().nbytes / 60
    assert len(pack(ramp(1, "uint16"))) < 200 * 200 / 30


def test_the_crc_is_that_of_the_little_endian_samples():
    pixels = ramp(1, "uint16")
    assert samples_crc(pixels) == samples_crc(pixels[:, :, ::-1][:, :, ::-1])
    assert samples_crc(pixels) != samples_crc(pixels.swapaxes(1, 2) + 1)


def test_every_damage_is_noticed():
    data, shape = pack(ramp()[:, :8, :8]), (3, 8, 8)
    for length in range(len(data)):
        with pytest.raises(DamageError):
            unpack(data[:length], shape, "uint8")
    with pytest.raises(DamageError, match="method"):
        unpack(b"\x08" + data[1:], shape, "uint8")
    with pytest.raises(DamageError):
        unpack(data + b"x", shape, "uint8")
    with pytest.raises(DamageError, match="192"):
        unpack(pack(np.zeros((3, 500, 500), np.uint8)), shape, "uint8")
    with pytest.raises(DamageError, match="method"):
        unpack(b"\x04" + data[1:], (1, 8, 24), "uint8")
