"""Photographs in, photographs out: depth, transparency, orientation, metadata, bad files."""

from __future__ import annotations

import base64
import struct

import numpy as np
import pytest
import rasterio

from resattn.errors import ItemError, OutputError, UserError
from resattn.io.image import encode_image, read_image
from resattn.io.metadata import Metadata
from resattn.io.png_writer import PngWriter
from resattn.pipelines.super_resolve import super_resolve

RANDOM = np.random.default_rng(6)


def repeat(pixels, factor=4):
    return pixels.repeat(factor, -2).repeat(factor, -1)


def noise(bands, height, width, dtype=np.uint8):
    limits = np.iinfo(dtype)
    return RANDOM.integers(0, limits.max + 1, (bands, height, width)).astype(dtype)


def save(path, pixels, **given):
    format = {"jpg": "jpeg"}.get(path.suffix[1:], path.suffix[1:])
    path.write_bytes(encode_image(pixels, format=format, **given))
    return path


def exif(orientation):
    """A TIFF structure with an orientation and a camera's name."""
    entries = struct.pack("<HHII", 0x010F, 2, 4, 0) + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)  # fmt: skip  # noqa: E501
    entries = entries[:8] + b"Cam\0" + entries[12:]
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("transparent", [False, True])
def test_every_kind_of_png_comes_back_as_its_kind(tmp_path, copying, bands, dtype, transparent):
    pixels = noise(bands, 11, 17, dtype)
    alpha = np.maximum(noise(1, 11, 17, dtype)[0], 1) if transparent else None
    stored = pixels if alpha is None else np.concatenate([pixels, alpha[None]])
    source = tmp_path / "in.png"
    with PngWriter(source, 11, 17, len(stored), str(stored.dtype)) as writer:
        writer.write_rows(stored)
    super_resolve(source, tmp_path / "out.png", weights=copying)
    out = read_image(tmp_path / "out.png")
    np.testing.assert_array_equal(out.pixels, repeat(pixels))
    if alpha is None:
        assert out.alpha is None
    else:
        np.testing.assert_array_equal(out.alpha, repeat(alpha))


def test_sixteen_bits_are_never_squeezed_through_eight(tmp_path, copying):
    ramp = np.arange(30_000, 30_256, dtype=np.uint16).reshape(1, 16, 16)
    super_resolve(save(tmp_path / "in.png", ramp), tmp_path / "out.png", weights=copying)
    assert len(np.unique(read_image(tmp_path / "out.png").pixels)) == 256


def test_colour_under_transparency_does_not_show(tmp_path, random_weights):
    pixels, alpha = noise(3, 40, 40), np.full((40, 40), 255, np.uint8)
    alpha[:, 20:] = 0
    outs = []
    for hidden in (0, 255):
        pixels[:, :, 20:] = hidden
        source = save(tmp_path / "in.png", pixels, alpha=alpha)
        super_resolve(source, tmp_path / "out.png", weights=random_weights, overwrite=True)
        outs.append(read_image(tmp_path / "out.png").pixels)
    np.testing.assert_array_equal(outs[0], outs[1])


def test_a_palette_becomes_colour(tmp_path, copying):
    with rasterio.open(tmp_path / "in.png", "w", driver="PNG", height=4, width=4, count=1,
                       dtype="uint8") as file:  # fmt: skip
        file.write(np.arange(16, dtype=np.uint8).reshape(1, 4, 4) % 3)
        file.write_colormap(1, {0: (255, 0, 0), 1: (0, 255, 0), 2: (10, 20, 30)})
    super_resolve(tmp_path / "in.png", tmp_path / "out.png", weights=copying)
    out = read_image(tmp_path / "out.png").pixels
    assert out.shape == (3, 16, 16)
    assert [tuple(out[:, 0, x]) for x in (0, 4, 8)] == [(255, 0, 0), (0, 255, 0), (10, 20, 30)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_output_stands_upright_and_says_so(tmp_path, copying, orientation):
    pixels = np.zeros((3, 8, 16), np.uint8)
    pixels[0, :4, :8] = 255  # a red corner tells where up is
    blocks = Metadata(exif=exif(orientation), icc=b"profile" * 30, xmp=b"<x:xmpmeta/>")
    source = save(tmp_path / "in.jpg", pixels, metadata=blocks, quality=100)
    super_resolve(source, tmp_path / "out.png", weights=copying)
    out, given = read_image(tmp_path / "out.png"), read_image(source)
    assert given.info.orientation == orientation
    np.testing.assert_array_equal(out.pixels, repeat(given.pixels))
    assert out.info.orientation == 1
    assert out.info.metadata.icc == blocks.icc
    assert out.info.metadata.xmp == blocks.xmp
    assert b"Cam" in out.info.metadata.exif


def test_a_jpeg_stays_a_jpeg_and_is_near(tmp_path, copying):
    flat = np.broadcast_to(np.array([200, 90, 30], np.uint8)[:, None, None], (3, 16, 24))
    super_resolve(save(tmp_path / "in.jpg", flat), tmp_path / "out.jpg", weights=copying)
    out = read_image(tmp_path / "out.jpg")
    assert out.info.format == "jpeg"
    assert np.abs(out.pixels.astype(int) - repeat(flat)).max() <= 3


def test_a_photograph_can_become_a_tiff(tmp_path, copying):
    pixels, alpha = noise(3, 9, 9, np.uint16), noise(1, 9, 9, np.uint16)[0] | 1
    blocks = Metadata(icc=b"profile" * 30, exif=exif(1))
    source = save(tmp_path / "in.png", pixels, alpha=alpha, metadata=blocks)
    done = super_resolve(source, tmp_path / "out.tif", weights=copying)
    assert done.warnings == ("EXIF of the photograph not written to TIFF",)
    with rasterio.open(tmp_path / "out.tif") as out:
        stored = out.tags(ns="COLOR_PROFILE")["SOURCE_ICC_PROFILE"]
        assert base64.b64decode(stored) == blocks.icc
        np.testing.assert_array_equal(out.read(), repeat(np.concatenate([pixels, alpha[None]])))
        assert [c.name for c in out.colorinterp] == ["red", "green", "blue", "alpha"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1)])
def test_the_smallest_photographs_work(tmp_path, random_weights, shape):
    source = save(tmp_path / "in.png", noise(3, *shape))
    super_resolve(source, tmp_path / "out.png", weights=random_weights, scale=2.5)
    info = read_image(tmp_path / "out.png").info
    assert (info.height, info.width) == tuple(int(n * 2.5 + 0.5) for n in shape)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("out.jpg", {"alpha": np.ones((4, 4), np.uint8)}, "transparency"),
        ("out.jpg", {"dtype": np.uint16}, "uint16"),
        ("out.webp", {"dtype": np.uint16}, "uint16"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before_the_work(
    tmp_path, copying, name, given, words
):
    dtype = given.pop("dtype", np.uint8)
    source = save(tmp_path / "in.png", noise(3, 4, 4, dtype), **given)
    with pytest.raises(OutputError, match=words) as refused:
        super_resolve(source, tmp_path / name, weights=copying)
    assert refused.value.code == "E406"


def test_formats_limit_their_sides(tmp_path, copying):
    source = save(tmp_path / "in.png", noise(1, 1, 5000))
    with pytest.raises(OutputError, match="16383"):
        super_resolve(source, tmp_path / "out.webp", weights=copying)


def test_an_output_too_large_to_encode_is_refused_with_the_way_out(tmp_path, copying):
    source = save(tmp_path / "in.png", noise(3, 200, 200))
    with pytest.raises(ItemError, match=r"--ram 0.5GB leaves 0.38 — name a \.tif") as refused:
        super_resolve(source, tmp_path / "out.jpg", weights=copying, ram="500MB")
    assert refused.value.code == "E305"
    for streamed in ("out.tif", "out.png"):
        super_resolve(source, tmp_path / streamed, weights=copying, ram="500MB")


@pytest.mark.parametrize(
    ("damage", "code"),
    [(lambda data: b"", "E304"), (lambda data: data[: len(data) // 2], "E301"),
     (lambda data: b"some text", "E304"),
     (lambda data: data[:16] + b"\xff" * 8 + data[24:], "E30")],
)  # fmt: skip
def test_damaged_files_are_named_with_a_code(tmp_path, copying, damage, code):
    source = save(tmp_path / "in.png", noise(3, 20, 20))
    source.write_bytes(damage(source.read_bytes()))
    with pytest.raises(ItemError) as refused:
        super_resolve(source, tmp_path / "out.png", weights=copying)
    assert refused.value.code.startswith(code)
    assert list(tmp_path.iterdir()) == [source]


def test_a_photograph_above_the_limit_is_refused(tmp_path, copying):
    source = save(tmp_path / "in.png", noise(1, 20, 20))
    with pytest.raises(ItemError, match="400 pixels") as refused:
        super_resolve(source, tmp_path / "out.png", weights=copying, max_pixels=399)
    assert refused.value.code == "E305"


@pytest.mark.parametrize("options", [{"scale": 0.9}, {"scale": 8.1}, {"scale": float("nan")},
                                     {"range": "dark"}, {"ram": "much"}])  # fmt: skip
def test_wrong_options_are_refused_before_the_work(tmp_path, copying, options):
    source = save(tmp_path / "in.png", noise(1, 4, 4))
    with pytest.raises(UserError):
        super_resolve(source, tmp_path / "out.png", weights=copying, **options)


def test_a_format_nobody_knows_is_refused(tmp_path, copying):
    source = save(tmp_path / "in.png", noise(1, 4, 4))
    with pytest.raises(UserError, match=r"\.gif") as refused:
        super_resolve(source, tmp_path / "out.gif", weights=copying)
    assert refused.value.code == "E207"
