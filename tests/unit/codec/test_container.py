"""The container: what is written is read, and every broken byte is noticed before it is used."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.codec import container
from resattn.codec.container import VersionError, chunk, front, read_layout
from resattn.codec.damage import DamageError
from resattn.codec.header import Head, empty_index
from resattn.tiling import Window

HEAD = Head(100, 150, 64, 4, "uint16", alpha=3, has_mask=True, weights=b"12345678", name="mine")


def file_of(head=HEAD, chunks=None, seed=0):
    """A file of random units, and the units."""
    rng = np.random.default_rng(seed)
    units = [rng.bytes(int(n)) for n in rng.integers(0, 9, head.tiles * len(head.roles))]
    index = empty_index(len(units))
    for entry, data in zip(index, units, strict=True):
        entry["length"], entry["crc"] = len(data), zlib.crc32(data)
    return front(head, chunks or {}, index) + b"".join(units), units


def test_what_is_written_is_read():
    chunks = {container.ICC: b"profile", container.EXIF: b""}
    data, units = file_of(chunks=chunks)
    stream = io.BytesIO(data)
    layout = read_layout(stream)
    assert layout.head == HEAD
    assert dict(layout.chunks) == chunks
    assert layout.is_whole
    assert [layout.payload(stream, unit) for unit in range(len(units))] == units


def test_the_header_is_laid_out_as_documented():
    data, _ = file_of(Head(7, 5, 64, 3, "uint8"))
    assert data[:9] == b"\x8aRAC\r\n\x1a\n\x01"
    tag, length, width, height, tile, bands, alpha, kind, mask = struct.unpack_from(
        "<4sIIIIHHBB", data, 9
    )
    assert (tag, length, width, height) == (b"HEAD", 27, 5, 7)
    assert (tile, bands, alpha, kind, mask) == (64, 3, 0xFFFF, 0, 0)
    (crc,) = struct.unpack_from("<I", data, 17 + length)
    assert crc == zlib.crc32(data[9:13] + data[17 : 17 + length])


def test_the_overhead_of_a_photograph_is_small():
    head = Head(512, 768, 768, 3, "uint8", weights=b"12345678", name="compress.light")
    assert len(front(head, {}, empty_index(1))) <= 90


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([64, 128, 192]), st.data())
def test_tiles_cover_every_pixel_once(height, width, tile, data):
    head = Head(height, width, tile, 1, "uint8")
    seen = np.zeros((height, width), int)
    for number, window in enumerate(head.windows()):
        assert head.place(number) == window
        seen[window.slices] += 1
    assert (seen == 1).all()
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = Window(row, col, data.draw(st.integers(1, height - row)), 1)
    touched = {n for n, w in enumerate(head.windows()) if w.intersection(window)}
    assert set(head.touching(window)) == touched


def test_roles_are_mask_then_alpha_then_groups_of_three():
    head = Head(9, 9, 64, 6, "uint8", alpha=1, has_mask=True)
    assert head.roles == (("mask", ()), ("alpha", (1,)), ("colour", (0, 2, 3)), ("colour", (4, 5)))


def test_f3_g2_every_truncation_is_noticed():
    data, units = file_of(chunks={container.XMP: b"<x/>"})
    start = len(data) - sum(map(len, units))
    for length in range(len(data)):
        stream = io.BytesIO(data[:length])
        if length < start:
            with pytest.raises(DamageError):
                read_layout(stream)
            continue
        layout = read_layout(stream)
        assert not layout.is_whole
        for unit, payload in enumerate(units):
            if start + sum(map(len, units[: unit + 1])) <= length:
                assert layout.payload(stream, unit) == payload
            elif payload:
                with pytest.raises(DamageError):
                    layout.payload(stream, unit)


def test_f3_g2_every_flipped_bit_is_noticed(goal):
    data, units = file_of(chunks={container.XMP: b"<x/>"})
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        stream = io.BytesIO(bytes(flipped))
        try:
            layout = read_layout(stream)
            assert [layout.payload(stream, n) for n in range(len(units))] == units
        except (DamageError, VersionError):
            continue
        pytest.fail(f"bit {place} may change")
    goal("G2", "every bit of a container flipped", injected=8 * len(data))


@pytest.mark.parametrize(
    "head",
    [
        Head(0, 5, 64, 1, "uint8"), Head(5, 5, 63, 1, "uint8"), Head(5, 5, 0, 1, "uint8"),
        Head(5, 5, 64, 0, "uint8"), Head(5, 5, 64, 1025, "uint8"),
        Head(20000, 20000, 20032, 1, "uint8"),
    ],
)  # fmt: skip
def test_f3_f6_heads_that_ask_too_much_are_refused(head):
    with pytest.raises(DamageError):
        Head.unpack(head.pack())


def test_f3_an_index_that_the_file_cannot_have_is_refused_before_it_is_made():
    huge = Head(2**32 - 1, 2**32 - 1, 64, 3, "uint8")
    data = front(huge, {}, empty_index(1))
    with pytest.raises(DamageError, match="units"):
        read_layout(io.BytesIO(data))


def test_f3_a_chunk_that_claims_more_than_the_file_is_refused():
    data = container.SIGNATURE + b"\x01HEAD\xff\xff\xff\xff"
    with pytest.raises(DamageError, match="beyond"):
        read_layout(io.BytesIO(data))


def test_later_versions_are_named_and_unknown_chunks_passed_over():
    data, _ = file_of(chunks={b"NEWS": b"?"})
    assert read_layout(io.BytesIO(data)).chunks == {b"NEWS": b"?"}
    with pytest.raises(VersionError, match="version 2"):
        read_layout(io.BytesIO(data[:8] + b"\x02" + data[9:]))


def test_f3_chunks_out_of_order_are_refused():
    head = chunk(container.HEAD, HEAD.pack())
    for middle in (head + head, chunk(b"XMP_", b""), head + 2 * chunk(b"XMP_", b"")):
        with pytest.raises(DamageError, match="where none may be"):
            read_layout(io.BytesIO(container.SIGNATURE + b"\x01" + middle + bytes(12)))
