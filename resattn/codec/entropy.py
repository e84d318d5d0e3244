"""Integers to bytes and back by a range coder whose tables are integers too.

Nothing here is computed from floating-point numbers at run time, so a stream decodes to the same
integers on any machine. The tables come with the network, one per channel of z and one per scale
index of q; symbols of one table are coded together, which is what makes it fast.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import constriction
import numpy as np
from numpy.typing import NDArray

from resattn.codec.damage import DamageError

Integers = NDArray[np.int16]
Index = NDArray[np.int64]

PRECISION = 24
"""Probabilities are whole multiples of 2⁻²⁴."""

_SLACK_BITS = 64
"""What the last word of a stream may stand for, and more than its coder's state of 32 bits."""


class Coder:
    """Codes the latents of one tile with the tables of one network.

    Args:
        z_counts: (Cz, A_z), a table per channel of z.
        q_counts: (S, A_q), a table per scale index of q.
        skip: Symbols whose scale index is below it are not coded; they are 0.

    Raises:
        ValueError: If a table has an even alphabet, a negative count, or a row that does not sum
            to 2²⁴ − A.
    """

    def __init__(self, z_counts: Index, q_counts: Index, skip: int) -> None:
        self._z_tables, self._z_reach = _tables(z_counts, "z_counts")
        self._q_tables, self._q_reach = _tables(q_counts, "q_counts")
        self._skip = skip
        # Of one position of z, were each of its values the likeliest: what a stream cannot hold is
        # refused before there is room for it.
        self._z_bits = float(PRECISION * len(z_counts) - np.log2(z_counts.max(axis=1) + 1.0).sum())

    def encode(self, z: Integers, q: Integers, index: Index) -> bytes:
        """The stream of `z` (Cz, h, w), then of `q` (C, H, W) by the scale `index` of each value.

        Raises:
            ValueError: If a value lies outside its alphabet, or a skipped one is not 0.
        """
        self._check(z, q, index)
        encoder = constriction.stream.queue.RangeEncoder()
        for symbols, table in zip(z.reshape(len(z), -1), self._z_tables, strict=True):
            encoder.encode(symbols.astype(np.int32) + self._z_reach, table)
        order, runs = self._grouped(index)
        flat = q.ravel()[order].astype(np.int32) + self._q_reach
        for scale, run in runs:
            encoder.encode(flat[run], self._q_tables[scale])
        words: NDArray[np.uint32] = encoder.get_compressed()
        return words.astype("<u4").tobytes()

    def decode(
        self, stream: bytes, z_shape: tuple[int, int, int], scale_index: Callable[[Integers], Index]
    ) -> tuple[Integers, Integers]:
        """The `z` and `q` of a stream.

        Args:
            stream: What `encode` made.
            z_shape: Channels, rows and columns of z.
            scale_index: From z to the scale index (C, H, W) of each value of q.

        Raises:
            DamageError: If no encoder makes such a stream.
        """
        if len(stream) % 4 or z_shape[0] != len(self._z_tables):
            raise DamageError(f"a stream of {len(stream)} bytes for z of shape {z_shape}")
        least = z_shape[1] * z_shape[2] * self._z_bits
        if 8 * len(stream) + _SLACK_BITS < least:
            raise DamageError(
                f"a stream of {len(stream)} bytes where z alone needs {least:.0f} bits"
            )
        words = np.frombuffer(stream, "<u4").astype(np.uint32)
        decoder = constriction.stream.queue.RangeDecoder(words)
        z = np.empty((z_shape[0], z_shape[1] * z_shape[2]), np.int16)
        try:
            for channel, table in enumerate(self._z_tables):
                z[channel] = decoder.decode(table, z.shape[1]) - self._z_reach
            index = scale_index(z.reshape(z_shape))
            order, runs = self._grouped(index)
            coded = np.empty(len(order), np.int16)
            for scale, run in runs:
                symbols = decoder.decode(self._q_tables[scale], run.stop - run.start)
                coded[run] = symbols - self._q_reach
        except AssertionError as error:  # how constriction reports an impossible stream
            raise DamageError(f"the range coder: {error}") from error
        q = np.zeros(index.size, np.int16)
        q[order] = coded
        return z.reshape(z_shape), q.reshape(index.shape)

    def _grouped(self, index: Index) -> tuple[Index, Iterator[tuple[int, slice]]]:
        """Positions that are coded, in their order, and the run of each scale among them."""
        flat = index.ravel()
        if flat.max(initial=0) >= len(self._q_tables):
            raise ValueError(f"scale index {flat.max()}, there are {len(self._q_tables)} tables")
        coded = np.flatnonzero(flat >= self._skip)
        scales = flat[coded].astype(np.uint16)  # NumPy sorts so short ones by radix, in one pass
        ends = np.cumsum(np.bincount(scales, minlength=len(self._q_tables)))
        starts = np.concatenate([[0], ends[:-1]])
        runs = (
            (scale, slice(int(starts[scale]), int(ends[scale])))
            for scale in range(len(ends))
            if starts[scale] < ends[scale]
        )
        return coded[np.argsort(scales, kind="stable")], runs

    def _check(self, z: Integers, q: Integers, index: Index) -> None:
        for name, values, reach in (("z", z, self._z_reach), ("q", q, self._q_reach)):
            if values.size and max(-int(values.min()), int(values.max())) > reach:
                raise ValueError(f"{name} leaves its alphabet of ±{reach}")
        if q.shape != index.shape or q[index < self._skip].any():
            raise ValueError(f"q {q.shape} with index {index.shape} holds values that are skipped")


def integers_crc(z: Integers, q: Integers) -> int:
    """CRC-32 of the integers of a tile, as little-endian 16-bit numbers, z first."""
    return zlib.crc32(q.astype("<i2").tobytes(), zlib.crc32(z.astype("<i2").tobytes()))


def _tables(counts: Index, name: str) -> tuple[list[object], int]:
    """A table per row, and the greatest value of the alphabet."""
    size = counts.shape[1]
    if size % 2 == 0 or size > 2**15:
        raise ValueError(f"{name}: an alphabet of {size} symbols is not odd or too large")
    if counts.min() < 0 or (counts.sum(axis=1) != 2**PRECISION - size).any():
        raise ValueError(f"{name}: a row does not sum to 2**{PRECISION} - {size}")
    # Counts that sum to this are scaled by exactly 1 and raised by 1 each: the table is
    # counts + 1, whatever the rounding of the machine.
    return [
        constriction.stream.model.Categorical(row.astype(np.float64), lazy=False, perfect=False)
        for row in counts
    ], size // 2
