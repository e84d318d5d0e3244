"""Broken `.rac` files: an error or the true picture, never another one, never a crash (G2, G5).

Blind mutations are all caught by checksums. The hostile ones mend the checksums afterwards, so that
what lies behind them has to hold by itself; there the picture may be another, as the file is.
"""

from __future__ import annotations

import itertools
import os
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest

from resattn.codec.container import SIGNATURE
from resattn.codec.damage import DamageError
from resattn.codec.files import open_rac
from resattn.codec.tiles import Decoder
from resattn.errors import ItemError, ResattnError
from resattn.pipelines.compress_networks import Networks
from tests.golden.rac.make import HERE, WEIGHTS

FILES = ("photo", "raster", "exact")
KNOWN_BYTES = 4 * 2**20
"""What decoding needs beside the image: the stream, integers, and a network's activations."""


@pytest.fixture(scope="module")
def networks():
    opened = Networks(str(WEIGHTS), "cpu", "fp32")
    decoded(HERE / "photo.rac", opened)  # loads it: not what a file costs
    return opened


def decoded(path, networks):
    """CRC of the samples of each tile of a file, None of a damaged one, as salvage takes them.

    Raises:
        ResattnError: As a user meets it, where nothing can be salvaged.
    """
    with open_rac(path) as file:
        decoder = Decoder(file.layout, file.stream, file.scale, networks.to_decode(file.head))
        return [crc_of_tile(decoder, tile) for tile in range(file.head.tiles)]


def crc_of_tile(decoder, tile):
    try:
        pixels, present = decoder.decode(tile)
    except DamageError:
        return None
    crc = zlib.crc32(np.ascontiguousarray(pixels).tobytes())
    return crc if present is None else zlib.crc32(np.packbits(present).tobytes(), crc)


def check(path, networks):
    """True, or raises ResattnError if the file is not whole or a tile is damaged."""
    with open_rac(path) as file:
        file.check_whole()
    if None in decoded(path, networks):
        raise ItemError("a tile is damaged", code="E301")
    return True


def peak_of(work, *arguments):
    """What `work` returned, or that it was refused, and the most bytes it held at a time."""
    tracemalloc.start()
    try:
        found = work(*arguments)
    except ResattnError:
        found = None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found, peak


def mutated(data, rng):
    """One of the accidents that happen to files."""
    data = bytearray(data)
    kind = rng.integers(5)
    place = int(rng.integers(len(data)))
    if kind == 0:
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data[place] = int(rng.integers(256))
    elif kind == 2:
        end = place + int(rng.integers(1, 64))
        data[place:end] = rng.bytes(len(data[place:end]))
    elif kind == 3:
        del data[place : place + int(rng.integers(1, 64))]
    else:
        data[place:place] = rng.bytes(int(rng.integers(1, 64)))
    return bytes(data)


def mended(data):
    """The file with the checksums of its chunks made to fit, as an attacker would."""
    out, place = bytearray(data), len(SIGNATURE) + 1
    while place + 12 <= len(out):
        tag, length = out[place : place + 4], struct.unpack_from("<I", out, place + 4)[0]
        end = place + 8 + length
        if end + 4 > len(out):
            break
        crc = zlib.crc32(bytes(out[place + 8 : end]), zlib.crc32(bytes(tag)))
        struct.pack_into("<I", out, end, crc)
        place = end + 4
        if tag == b"TIDX":
            break
    return bytes(out)


def try_blindly(path, name, count, networks, seed):
    """Mutations of a golden file: each tile is the true one or known to be damaged.

    Returns:
        How many files were refused or had a damaged tile.
    """
    data, rng = (HERE / f"{name}.rac").read_bytes(), np.random.default_rng(seed)
    (truth, usual), refused = peak_of(decoded, HERE / f"{name}.rac", networks), 0
    for number in range(count):
        path.write_bytes(mutated(data, rng))
        found, peak = peak_of(decoded, path, networks)
        tiles = [None] * len(truth) if found is None else found
        at = f"{name}, seed {seed}, mutation {number}"
        assert len(tiles) == len(truth), at
        assert all(tile in (true, None) for tile, true in zip(tiles, truth, strict=True)), at
        assert peak < 2 * usual, at
        refused += None in tiles
    return refused


def try_hostilely(path, name, count, networks, seed):
    """Mutations before the units with checksums made to fit: any outcome but a crash."""
    data, rng = (HERE / f"{name}.rac").read_bytes(), np.random.default_rng(seed)
    front = data.index(b"TIDX") + 500
    for _ in range(count):
        broken = mutated(data[:front], rng) + data[front:]
        path.write_bytes(mended(broken))
        with suppress(ResattnError):
            decoded(path, networks)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_g2_every_byte_before_the_units_is_guarded(tmp_path, name, bits):
    data, path = (HERE / f"{name}.rac").read_bytes(), tmp_path / "a.rac"
    with open_rac(HERE / f"{name}.rac") as file:
        front = int(file.layout.offsets[0])
    for place, bit in itertools.product(range(front), range(bits)):
        broken = bytearray(data)
        broken[place] ^= 1 << (place + bit) % 8
        path.write_bytes(broken)
        with pytest.raises(ItemError) as refused, open_rac(path):
            pass
        assert refused.value.code in ("E301", "E304", "E310"), (place, bit)


@pytest.mark.parametrize("name", FILES)
def test_g2_mutations_never_pass_for_the_picture(tmp_path, networks, name):
    refused = try_blindly(tmp_path / "a.rac", name, 20, networks, seed=1)
    assert refused > 17


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_g2_ten_thousand_mutations(tmp_path, networks, name, goal):
    assert try_blindly(tmp_path / "a.rac", name, 3334, networks, seed=2) > 3200
    goal("G2", f"{name}.rac: 3334 mutations", injected=3334)


@pytest.mark.parametrize("name", FILES)
def test_g5_hostile_headers_with_sound_checksums(tmp_path, networks, name):
    try_hostilely(tmp_path / "a.rac", name, 40, networks, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_g5_ten_thousand_hostile_headers(tmp_path, networks, name, goal):
    try_hostilely(tmp_path / "a.rac", name, 3334, networks, seed=4)
    goal("G5", f"{name}.rac: 3334 headers with sound checksums", injected=3334)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.slow)])
def test_g2_every_truncation_is_refused(tmp_path, name, step):
    data, path = (HERE / f"{name}.rac").read_bytes(), tmp_path / "a.rac"
    path.write_bytes(data)

    def opened():
        with open_rac(path) as file:
            file.check_whole()

    for length in range(len(data) - 1, -1, -step):
        os.truncate(path, length)
        with pytest.raises(ItemError):
            opened()


@pytest.mark.parametrize("side", [2**12, 2**16, 2**31])
def test_f5_declared_sizes_are_not_believed(tmp_path, networks, side):
    """A header that claims more than the file can hold costs no memory."""
    data = bytearray((HERE / "photo.rac").read_bytes())
    struct.pack_into("<II", data, len(SIGNATURE) + 9, side, side)
    path = tmp_path / "a.rac"
    path.write_bytes(mended(bytes(data)))
    found, peak = peak_of(check, path, networks)
    assert found is None
    assert peak < KNOWN_BYTES


def test_f5_a_zip_bomb_in_an_exact_tile_stays_within_the_tile(tmp_path, networks):
    data = (HERE / "exact.rac").read_bytes()
    with open_rac(HERE / "exact.rac") as file:
        index, offsets = file.layout.index.copy(), file.layout.offsets
    bomb = bytes([0]) + zlib.compress(bytes(2**26), 9)
    unit = len(index) - 1
    index["length"][unit], index["crc"][unit] = len(bomb), zlib.crc32(bomb)
    front = data[: data.index(b"TIDX") + 8]
    rest = data[int(offsets[0]) : int(offsets[unit])]
    path = tmp_path / "a.rac"
    path.write_bytes(mended(front + index.tobytes() + bytes(4) + rest + bomb))
    found, peak = peak_of(decoded, path, networks)
    assert found is not None
    assert found[-1] is None
    assert peak < KNOWN_BYTES


def test_f4_what_is_no_rac_file_is_named(tmp_path):
    path = tmp_path / "a.rac"
    newer = SIGNATURE + b"\x02" + bytes(99)
    for content, code in (
        (b"", "E304"), (b"\x8aRAC", "E304"), (SIGNATURE, "E301"), (newer, "E310"),
        (b"BM" + bytes(99), "E310"),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(ItemError) as caught, open_rac(path):
            pass
        assert caught.value.code == code, content
