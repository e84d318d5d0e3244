"""The range coder against a decoder written from docs/formats.md in whole Python numbers."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.codec.damage import DamageError
from resattn.codec.entropy import Coder, integers_crc

SKIP = 2


def laplacian(scale, size):
    """Counts that sum to 2²⁴ − size."""
    value = np.abs(np.arange(size) - size // 2)
    weight = np.exp(-value / scale)
    counts = np.floor(weight / weight.sum() * (2**24 - size)).astype(np.int64)
    counts[size // 2] += 2**24 - size - counts.sum()
    return counts


Z_COUNTS = np.stack([laplacian(scale, 31) for scale in (0.5, 2, 8)])
Q_COUNTS = np.stack([laplacian(0.1 * 1.6**scale, 101) for scale in range(12)])


@pytest.fixture(scope="module")
def coder():
    return Coder(Z_COUNTS, Q_COUNTS, SKIP)


def latents(seed, rows=2, cols=3):
    """A z, an index that follows from it, and a q that fits the index."""
    rng = np.random.default_rng(seed)
    z = rng.integers(-15, 16, (3, rows, cols)).astype(np.int16)
    index = scale_index(z)
    q = np.rint(rng.laplace(0, 0.1 * 1.6**index)).clip(-50, 50).astype(np.int16)
    q[index < SKIP] = 0
    return z, q, index


def scale_index(z):
    coarse = np.abs(z.astype(np.int64)).sum(axis=0) % 12
    fine = np.kron(coarse, np.ones((4, 4), np.int64))
    return np.stack([fine, (fine + 5) % 12])


class WholeNumbers:
    """The decoder of docs/formats.md, one symbol at a time."""

    def __init__(self, stream):
        self.words = [int.from_bytes(stream[i : i + 4], "little") for i in range(0, len(stream), 4)]
        self.lower, self.range = 0, 2**64 - 1
        self.point = self.next_word() << 32 | self.next_word()

    def next_word(self):
        return self.words.pop(0) if self.words else 0

    def symbol(self, counts):
        cumulative = np.concatenate([[0], np.cumsum(counts + 1)])
        assert cumulative[-1] == 2**24
        step = self.range >> 24
        quantile = (self.point - self.lower) % 2**64 // step
        symbol = int(np.searchsorted(cumulative, quantile, side="right")) - 1
        low, high = int(cumulative[symbol]), int(cumulative[symbol + 1])
        self.lower = (self.lower + step * low) % 2**64
        self.range = step * (high - low)
        if self.range < 2**32:
            self.lower, self.range = (self.lower << 32) % 2**64, self.range << 32
            self.point = (self.point << 32) % 2**64 | self.next_word()
        return symbol - len(counts) // 2

    def latents(self, shape):
        z = np.array([[self.symbol(row) for _ in range(shape[1] * shape[2])] for row in Z_COUNTS])
        z = z.reshape(shape)
        index = scale_index(z).ravel()
        q = np.zeros(index.size, np.int64)
        for scale in range(SKIP, 12):
            for place in np.flatnonzero(index == scale):
                q[place] = self.symbol(Q_COUNTS[scale])
        return z, q.reshape(2, 4 * shape[1], 4 * shape[2])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_streams_return_their_integers(seed, rows, cols):
    coder = Coder(Z_COUNTS, Q_COUNTS, SKIP)
    z, q, index = latents(seed, rows, cols)
    found_z, found_q = coder.decode(coder.encode(z, q, index), z.shape, scale_index)
    np.testing.assert_array_equal(found_z, z)
    np.testing.assert_array_equal(found_q, q)
    assert integers_crc(found_z, found_q) == integers_crc(z, q)


@pytest.mark.parametrize("seed", range(4))
def test_the_stream_is_the_one_of_the_specification(coder, seed):
    z, q, index = latents(seed)
    found_z, found_q = WholeNumbers(coder.encode(z, q, index)).latents(z.shape)
    np.testing.assert_array_equal(found_z, z)
    np.testing.assert_array_equal(found_q, q)


def test_streams_stay_what_they_were():
    """Another version of the coder must not change a single byte; whole numbers only."""
    weight = 10**7 // (1 + np.abs(np.arange(31) - 15)) ** np.array([[1], [2], [3]])
    counts = weight * (2**24 - 31) // weight.sum(axis=1, keepdims=True)
    counts[:, 15] += 2**24 - 31 - counts.sum(axis=1)
    values = np.arange(64) * 7919 % 31 - 15
    z, q = values[:12].reshape(3, 2, 2).astype(np.int16), values.reshape(1, 8, 8).astype(np.int16)
    index = np.arange(64).reshape(1, 8, 8) % 3
    stream = Coder(counts, counts, 0).encode(z, q, index)
    assert (len(stream), zlib.crc32(stream)) == (68, 2142116195)


def test_the_length_is_that_of_the_entropy(coder):
    z, q, index = latents(1, 8, 8)
    bits = -sum(np.log2((Z_COUNTS[c][v + 15] + 1) / 2**24).sum() for c, v in enumerate(z))
    for scale in range(SKIP, 12):
        bits -= np.log2((Q_COUNTS[scale][q[index == scale] + 50] + 1) / 2**24).sum()
    assert len(coder.encode(z, q, index)) * 8 == pytest.approx(bits, abs=64)


@pytest.mark.parametrize("side", [1, 2, 40])
def test_the_shortest_streams_of_all_are_read(side):
    """The likeliest values alone, and nothing of q: no stream is refused that can exist."""
    counts = np.zeros_like(Z_COUNTS)
    counts[:, 15] = 2**24 - counts.shape[1]
    for table in (counts, Z_COUNTS):
        coder = Coder(table, Q_COUNTS, SKIP)
        likeliest = table.argmax(1) - 15
        z = np.broadcast_to(likeliest[:, None, None], (len(table), side, side)).astype(np.int16)
        q = np.zeros((2, 4 * side, 4 * side), np.int16)
        found, _ = coder.decode(coder.encode(z, q, np.zeros(q.shape, int)), z.shape, zeros_like_q)
        np.testing.assert_array_equal(found, z)


def zeros_like_q(z):
    return np.zeros((2, 4 * z.shape[1], 4 * z.shape[2]), int)


def test_f5_a_stream_too_short_for_its_z_is_refused_before_there_is_room_for_it(coder):
    def too_late(z):
        raise AssertionError(f"room was made for z {z.shape}")

    stream = bytes(range(100))
    with pytest.raises(DamageError, match=r"100 bytes where z alone needs \d+ bits"):
        coder.decode(stream, (len(Z_COUNTS), 10_000, 10_000), too_late)


def test_the_crc_sees_both_parts_and_their_order():
    z, q, _ = latents(3)
    first = integers_crc(z, q)
    q[0, 0, 0] += 1
    z[0, 0, 0] -= 1
    assert len({first, integers_crc(z, q), integers_crc(q, z)}) == 3


def test_what_does_not_fit_is_refused(coder):
    z, q, index = latents(0)
    with pytest.raises(ValueError, match="±50"):
        coder.encode(z, np.full_like(q, 51), index)
    with pytest.raises(ValueError, match="skipped"):
        coder.encode(z, np.ones_like(q), np.zeros_like(index))
    with pytest.raises(ValueError, match="12 tables"):
        coder.encode(z, np.zeros_like(q), np.full_like(index, 12))
    with pytest.raises(DamageError):
        coder.decode(b"abc", z.shape, scale_index)
    with pytest.raises(DamageError):
        coder.decode(b"", (7, 1, 1), scale_index)


@pytest.mark.parametrize(
    "counts", [np.full((1, 4), 2**22 - 1), Z_COUNTS + 1, np.array([[-1, 2**24 - 3, 1]])]
)
def test_tables_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="counts"):
        Coder(counts, Q_COUNTS, SKIP)


def test_random_bytes_never_give_values_outside_the_alphabet(coder):
    rng = np.random.default_rng(0)
    for _ in range(50):
        noise = rng.bytes(4 * int(rng.integers(0, 60)))
        try:
            z, q = coder.decode(noise, (3, 2, 2), scale_index)
        except DamageError:
            continue
        assert abs(z).max() <= 15
        assert abs(q).max() <= 50
