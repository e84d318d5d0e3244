"""Tiles of every type, mask and size to units and back, and what happens when they are broken."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resattn.codec.container import front, read_layout
from resattn.codec.damage import DamageError
from resattn.codec.header import CONSTANT, LOSSLESS, NETWORK, Head, empty_index
from resattn.codec.network import Network
from resattn.codec.samples import Scale, continued, from_channels, to_channels
from resattn.codec.tiles import Decoder, Encoder, Wish, decibel
from resattn.upscale.levels import Levels
from tests.dct_codec import SHA256, DctCodec

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
EXACT = Wish(lossless=True)


def scale_of(pixels, fill=np.nan):
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    return Scale(Levels.same(low, max(high, low + 1), len(pixels)), (fill,) * len(pixels))


def coded(pixels, network, wish, present=None, tile=64, scale=None, alpha=None):
    """The bytes of a file, and its scale."""
    head = Head(*pixels.shape[1:], tile, len(pixels), str(pixels.dtype), alpha, present is not None)
    scale = scale or scale_of(pixels)
    encoder = Encoder(head, scale, network)
    units = []
    for window in head.windows():
        real = None if present is None else present[:, *window.slices]
        units += encoder.encode(pixels[:, *window.slices], real, wish)
    index = empty_index(len(units))
    for number, unit in enumerate(units):
        index[number] = unit.entry
    return front(head, {}, index) + b"".join(unit.payload for unit in units), scale


def decoded(data, scale, network):
    """All pixels and validity of a file."""
    stream = io.BytesIO(data)
    layout = read_layout(stream)
    head = layout.head
    decoder = Decoder(layout, stream, scale, network)
    pixels = np.empty((head.bands, head.height, head.width), head.dtype)
    present = np.ones(pixels.shape, bool)
    for number, window in enumerate(head.windows()):
        decoder.check(number)
        pixels[:, *window.slices], real = decoder.decode(number)
        if real is not None:
            present[:, *window.slices] = real
    return pixels, present


def kinds(data):
    return read_layout(io.BytesIO(data)).index["kind"].tolist()


def psnr(first, second, scale):
    return decibel(scale.error(first, second, None))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_every_type_and_number_of_bands(network, photo, dtype, bands):
    pixels = photo(bands, dtype=dtype)
    data, scale = coded(pixels, network, Wish(level=14), tile=128)
    found, _ = decoded(data, scale, network)
    assert found.dtype == pixels.dtype
    assert bands == 1 or NETWORK in kinds(data)  # one band is coded three times by this network
    assert psnr(found, pixels, scale) > 26
    data, scale = coded(pixels, network, EXACT)
    found, _ = decoded(data, scale, None)
    assert found.tobytes() == pixels.tobytes()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 140), st.integers(1, 140), st.integers(1, 4), st.booleans())
def test_any_size(network, photo, height, width, bands, lossless):
    pixels = photo(bands, height, width)
    data, scale = coded(pixels, network, EXACT if lossless else Wish(level=50))
    found, _ = decoded(data, scale, network)
    assert psnr(found, pixels, scale) > (100 if lossless else 32)


def test_quality_rises_and_falls_with_the_level(network, photo):
    pixels = photo()
    results = []
    for level in (5, 20, 35, 50):
        data, scale = coded(pixels, network, Wish(level=level))
        results.append((len(data), psnr(decoded(data, scale, network)[0], pixels, scale)))
    assert results == sorted(results)


@pytest.mark.parametrize("target", [25.0, 33.0, 45.0])
def test_a_target_is_reached_by_each_tile_with_the_lowest_level(network, photo, target):
    pixels = photo()
    data, scale = coded(pixels, network, Wish(psnr=target))
    layout = read_layout(io.BytesIO(data))
    found, _ = decoded(data, scale, network)
    for number, window in enumerate(layout.head.windows()):
        part = (slice(None), *window.slices)
        assert psnr(found[part], pixels[part], scale) >= target
        level = int(layout.index["level"][number])
        if level and layout.index["kind"][number] == NETWORK:
            lower, _ = coded(pixels[part], network, Wish(level=level - 1), scale=scale, tile=192)
            assert psnr(decoded(lower, scale, network)[0], pixels[part], scale) < target


def test_a_target_beyond_the_network_is_met_exactly(network, photo):
    pixels = photo()
    data, scale = coded(pixels, network, Wish(psnr=90.0))
    assert set(kinds(data)) == {LOSSLESS}
    assert decoded(data, scale, None)[0].tobytes() == pixels.tobytes()


def test_drawings_and_tiny_images_are_kept_exactly(network):
    drawing = np.zeros((3, 64, 64), np.uint8)
    drawing[:, 10:20, 5:60] = 200
    data, _ = coded(drawing, network, Wish(level=40))
    assert kinds(data) == [LOSSLESS]
    data, scale = coded(np.array([[[3, 250]]], np.uint8), network, Wish(level=0))
    assert kinds(data) == [LOSSLESS]
    assert decoded(data, scale, None)[0].tolist() == [[[3, 250]]]


def test_one_value_is_one_sample(network):
    pixels = np.full((4, 70, 70), -0.0, np.float32)
    data, scale = coded(pixels, network, Wish(level=14), tile=128)
    assert set(kinds(data)) == {CONSTANT}
    assert decoded(data, scale, None)[0].tobytes() == pixels.tobytes()
    signs = pixels.copy()
    signs[0, 0, 0] = 0.0  # equal to −0, but not the same
    data, scale = coded(signs, None, EXACT)
    assert decoded(data, scale, None)[0].tobytes() == signs.tobytes()


def test_transparency_is_kept_exactly(network, photo):
    pixels = photo(4)
    data, scale = coded(pixels, network, Wish(level=20), alpha=3)
    found, _ = decoded(data, scale, network)
    assert (found[3] == pixels[3]).all()
    assert (found[:3] != pixels[:3]).any()


@pytest.mark.parametrize(
    ("dtype", "fill"), [("uint8", 0.0), ("int16", -100.0), ("float32", np.nan)]
)
@pytest.mark.parametrize("each_band", [False, True])
def test_missing_pixels_stay_missing_and_no_others_become_so(
    network, photo, dtype, fill, each_band
):
    pixels, present = photo(4, dtype=dtype), np.ones((4, 100, 140), bool)
    present[:, 20:80, 30:90] = False
    if each_band:
        present[2, :50] = False
    if dtype != "float32":
        pixels[pixels == fill] = fill + 1
    pixels[~present] = fill
    scale = scale_of(np.where(present, pixels, pixels[:, :1, :1]), fill)
    data, _ = coded(pixels, network, Wish(level=45), present, scale=scale)
    found, real = decoded(data, scale, network)
    assert (real == present).all()
    expected = np.isnan(found) if np.isnan(fill) else found == fill
    assert (expected == ~present).all()
    assert decibel(scale.error(pixels, found, present)) > 35


def test_holes_cost_next_to_nothing(network, photo):
    pixels, present = photo(3, 128, 128), np.ones((3, 128, 128), bool)
    present[:, 10:60, 10:60] = False
    whole, scale = coded(pixels, network, Wish(level=20), tile=128)
    pixels[~present] = 0
    holed, _ = coded(pixels, network, Wish(level=20), present, tile=128, scale=scale)
    assert len(holed) < 1.05 * len(whole)


def test_exact_files_keep_what_lies_under_the_mask(photo):
    pixels, present = photo(1), np.ones((1, 100, 140), bool)
    present[:, :30] = False
    data, scale = coded(pixels, None, EXACT, present)
    found, real = decoded(data, scale, None)
    assert found.tobytes() == pixels.tobytes()
    assert (real == present).all()


def test_damage_never_passes(network, photo):
    pixels = photo(3, 70, 70)
    data, scale = coded(pixels, network, Wish(level=30))
    layout = read_layout(io.BytesIO(data))
    first = int(layout.offsets[0])
    for place in range(first, len(data), 61):
        broken = bytearray(data)
        broken[place] ^= 0x10
        with pytest.raises(DamageError, match="checksum"):
            decoded(bytes(broken), scale, network)


def test_wrong_content_is_told_although_every_byte_is_sound(network, photo):
    """What another network, or one that computes otherwise, would make of the stream."""
    pixels = photo(3, 64, 64)
    data, scale = coded(pixels, network, Wish(level=30))
    stranger = DctCodec()
    stranger.rank += 1
    with pytest.raises(DamageError):
        decoded(data, scale, Network(stranger, "dct", SHA256))


def test_a_network_is_not_guessed(network, photo):
    data, scale = coded(photo(3, 64, 64), network, Wish(level=30))
    stream = io.BytesIO(data)
    decoder = Decoder(read_layout(stream), stream, scale, None)
    with pytest.raises(DamageError, match="needs a network"):
        decoder.decode(0)


def test_holes_are_continued_from_what_is_near():
    unit, present = np.full((2, 37, 21), 0.25, np.float32), np.zeros((2, 37, 21), bool)
    present[0, 5, 5] = present[0, 30, 20] = True
    unit[0, 30, 20] = 0.75
    unit[~present] = np.nan
    found = continued(unit, present)
    assert found.dtype == np.float32
    assert found[0, 5, 4] == found[0, 0, 0] == 0.25
    assert found[0, 31, 19] == found[0, 24, 16] == 0.75
    assert (found[1] == 0).all()


@pytest.mark.parametrize("bands", [1, 2, 3])
def test_bands_find_their_way_through_three_channels(bands):
    unit = np.random.default_rng(0).random((bands, 4, 5), np.float32)
    np.testing.assert_allclose(from_channels(to_channels(unit), bands), unit, atol=1e-7)


def test_scales_survive_their_bytes():
    scale = Scale(Levels((1.5, -2.0), (9.0, 4.0)), (np.nan, -9999.0))
    found = Scale.unpack(scale.pack(), 2)
    assert found.levels == scale.levels
    assert np.isnan(found.fill[0])
    assert found.fill[1] == -9999.0
    for bad in (b"", scale.pack()[:-1], Scale.unpack(scale.pack(), 2).pack() * 2):
        with pytest.raises(DamageError):
            Scale.unpack(bad, 2)
    with pytest.raises(DamageError, match="below"):
        Scale.unpack(scale.pack()[8:16] + scale.pack()[:8] + bytes(8), 1)
