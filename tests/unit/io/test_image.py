"""Photographs: pixels, depth, transparency, turning and the blocks beside the pixels.

Files come from Pillow and from bytes built here, so that OpenCV is not its own witness. Pillow is
a dependency of scikit-image.
"""

from __future__ import annotations

import builtins
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from resattn.errors import ItemError, OutputError, UserError
from resattn.io.image import encode_image, read_image, write_image
from resattn.io.metadata import Metadata, orientation
from resattn.io.sniff import Limits

RGB = np.random.default_rng(0).integers(0, 256, (3, 21, 34), np.uint8)
ALPHA = np.random.default_rng(1).integers(0, 256, (21, 34), np.uint8)
SMOOTH = np.stack([np.add.outer(np.arange(40), np.arange(60)) + 10 * k for k in range(3)]).astype(
    np.uint8
)


def pillow(pixels: np.ndarray, mode: str) -> Pillow.Image:
    bands = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels
    return Pillow.fromarray(np.ascontiguousarray(bands)).convert(mode)


def exif(turned: int, *, gps: bool = False) -> bytes:
    block = Pillow.Exif()
    block[0x0112] = turned
    block[0x010F] = "Maker of cameras"
    if gps:
        block.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 29: "2026:01:02"})
    return block.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_lossless_formats_give_the_pixels_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    pillow(RGB, "RGB").save(path, lossless=True)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, RGB)
    assert image.alpha is None
    assert (image.info.height, image.info.width, image.info.dtype) == (21, 34, "uint8")


def test_f13_every_png_kind_has_one_meaning(tmp_path: Path) -> None:
    rgba = np.concatenate([RGB, ALPHA[None]])
    kinds = {
        "grey": (pillow(RGB[0], "L"), RGB[:1], None),
        "grey and alpha": (
            Pillow.merge("LA", [pillow(RGB[0], "L"), pillow(ALPHA, "L")]),
            RGB[:1],
            ALPHA,
        ),
        "RGBA": (Pillow.fromarray(np.ascontiguousarray(rgba.transpose(1, 2, 0))), RGB, ALPHA),
        "one bit": (pillow(RGB[0], "1"), None, None),
        "palette": (pillow(RGB, "RGB").quantize(16), None, None),
    }
    for name, (image, colour, alpha) in kinds.items():
        path = tmp_path / f"{name}.png"
        image.save(path)
        found = read_image(path)
        if colour is None:
            mode = "L" if name == "one bit" else "RGB"
            colour = np.atleast_3d(np.asarray(image.convert(mode))).transpose(2, 0, 1)
        np.testing.assert_array_equal(found.pixels, colour, err_msg=name)
        if alpha is None:
            assert found.alpha is None, name
        else:
            np.testing.assert_array_equal(found.alpha, alpha, err_msg=name)


@pytest.mark.parametrize("bands", [1, 3])
def test_f13_sixteen_bits_stay_sixteen(tmp_path: Path, bands: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 65536, (bands, 9, 8), np.uint16)
    write_image(tmp_path / "a.png", pixels)
    found = read_image(tmp_path / "a.png")
    assert found.pixels.dtype == np.uint16
    np.testing.assert_array_equal(found.pixels, pixels)
    if bands == 1:
        np.testing.assert_array_equal(np.asarray(Pillow.open(tmp_path / "a.png")), pixels[0])


def test_a_jpeg_is_decoded_as_pillow_does(tmp_path: Path) -> None:
    for mode, bands in (("RGB", 3), ("L", 1)):
        path = tmp_path / f"{mode}.jpg"
        pillow(SMOOTH, mode).save(path, quality=90)
        reference = np.atleast_3d(np.asarray(Pillow.open(path))).transpose(2, 0, 1)
        found = read_image(path).pixels
        assert found.shape == (bands, 40, 60)
        assert np.abs(found.astype(int) - reference).max() <= 2


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_f14_orientation_is_applied_once_and_recorded(
    tmp_path: Path, suffix: str, turned: int
) -> None:
    path = tmp_path / f"a{suffix}"
    pillow(SMOOTH, "RGB").save(path, exif=b"Exif\0\0" + exif(turned), quality=95, lossless=True)
    upright = np.asarray(ImageOps.exif_transpose(Pillow.open(path))).transpose(2, 0, 1)
    found = read_image(path)
    assert found.info.orientation == turned
    assert (found.info.height, found.info.width) == upright.shape[1:]
    assert np.abs(found.pixels.astype(int) - upright).max() <= 2
    again = tmp_path / f"b{suffix}"
    write_image(again, found.pixels, metadata=found.info.metadata.for_turned_pixels())
    twice = read_image(again)
    assert twice.info.orientation == 1
    assert twice.pixels.shape == found.pixels.shape


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"junk" * 9, b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\x7f"]
)
def test_f14_a_damaged_exif_block_means_upright(block: bytes) -> None:
    assert orientation(block) == 1
    Metadata(exif=block).for_turned_pixels()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_profile_exif_and_xmp_survive(tmp_path: Path, suffix: str) -> None:
    blocks = Metadata(
        icc=np.random.default_rng(3).bytes(150_001), exif=exif(1), xmp=b"<x:xmpmeta/>\xc3\xa9"
    )
    path = tmp_path / f"a{suffix}"
    write_image(path, RGB, metadata=blocks)
    assert read_image(path).info.metadata == blocks
    other = Pillow.open(path)
    other.load()
    assert other.info["icc_profile"] == blocks.icc
    assert other.getexif()[0x010F] == "Maker of cameras"


def test_webp_keeps_transparency_beside_metadata(tmp_path: Path) -> None:
    write_image(tmp_path / "a.webp", RGB, alpha=ALPHA, metadata=Metadata(exif=exif(1)))
    found = read_image(tmp_path / "a.webp")
    np.testing.assert_array_equal(found.alpha, ALPHA)
    shown = np.asarray(Pillow.open(tmp_path / "a.webp").convert("RGBA"))[..., 3]
    np.testing.assert_array_equal(shown, ALPHA)


def test_the_place_of_a_photo_is_removed_unless_wanted() -> None:
    blocks = Metadata(exif=exif(6, gps=True), xmp=b"<exif:GPSLatitude>48</exif:GPSLatitude>")

    def places(found: Metadata) -> dict[int, Any]:
        read = Pillow.Exif()
        read.load(b"Exif\0\0" + (found.exif or b""))
        assert read[0x010F] == "Maker of cameras"
        return dict(read.get_ifd(0x8825))

    assert places(blocks)[29] == "2026:01:02"
    without = blocks.for_turned_pixels()
    assert places(without) == {}
    assert b"2026:01:02" not in (without.exif or b"")
    assert without.xmp is None
    kept = blocks.for_turned_pixels(keep_location=True)
    assert places(kept)[29] == "2026:01:02"
    assert kept.xmp == blocks.xmp
    assert orientation(kept.exif) == orientation(without.exif) == 1


def test_a_thumbnail_of_the_old_picture_is_dropped() -> None:
    # An IFD with one entry, followed by the offset of a thumbnail's directory.
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    block = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 26) + b"\0" * 6
    changed = Metadata(exif=block).for_turned_pixels().exif
    assert changed is not None
    assert struct.unpack_from("<I", changed, 22) == (0,)
    assert orientation(changed) == 1


def test_f13_cmyk_and_animations_are_refused_by_name(tmp_path: Path) -> None:
    pillow(RGB, "CMYK").save(tmp_path / "a.jpg")
    frames = [pillow(RGB, "RGB"), pillow(255 - RGB, "RGB")]
    frames[0].save(tmp_path / "b.webp", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "c.gif")
    frames[0].save(tmp_path / "d.bmp")
    frames[0].save(tmp_path / "e.tif")
    for name, word in {
        "a.jpg": "CMYK",
        "b.webp": "animation",
        "c.gif": "GIF",
        "d.bmp": "BMP",
        "e.tif": "raster",
    }.items():
        with pytest.raises(ItemError, match=word) as caught:
            read_image(tmp_path / name)
        assert caught.value.code == "E310"


@pytest.mark.parametrize(
    ("name", "pixels", "alpha"),
    [
        ("a.jpg", RGB, ALPHA),
        ("a.jpg", RGB.astype(np.uint16), None),
        ("a.webp", RGB.astype(np.uint16), None),
        ("a.png", RGB.astype(np.float32), None),
        ("a.png", RGB[:2], None),
        ("a.png", RGB, ALPHA[1:]),
        ("a.gif", RGB, None),
        ("a", RGB, None),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, name: str, pixels: np.ndarray, alpha: np.ndarray | None
) -> None:
    with pytest.raises(OutputError) as caught:
        write_image(tmp_path / name, pixels, alpha=alpha)
    assert caught.value.code == "E406"
    assert list(tmp_path.iterdir()) == []


def test_quality_is_a_trade(tmp_path: Path) -> None:
    sizes = [len(encode_image(RGB, format="jpeg", quality=q)) for q in (20, 60, 95)]
    assert sizes == sorted(sizes)
    lossy = len(encode_image(RGB, format="webp", quality=50))
    assert lossy < len(encode_image(RGB, format="webp"))


def test_f8_texts_that_inflate_to_gigabytes_are_not_inflated(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(32 * 2**20), 9)
    plain = encode_image(RGB)
    chunks = b""
    for kind, start in (
        (b"iCCP", b"p\0\0"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0"),
        (b"zTXt", b"Comment\0\0"),
    ):
        body = start + bomb
        chunks += struct.pack(">I", len(body)) + kind + body
        chunks += struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "bomb.png").write_bytes(plain[:33] + chunks + plain[33:])
    found = read_image(tmp_path / "bomb.png")
    np.testing.assert_array_equal(found.pixels, RGB)
    assert found.info.metadata == Metadata()


def test_gamma_and_profiles_do_not_change_pixels(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pillow(RGB, "RGB").save(buffer, "png")
    data = buffer.getvalue()
    body = struct.pack(">I", 100_000)
    chunk = struct.pack(">I", 4) + b"gAMA" + body + struct.pack(">I", zlib.crc32(b"gAMA" + body))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, RGB)


@pytest.mark.parametrize("name", [b"Z\xfcrich.png", b"a\nb.png", b"x" * 251 + b".png"])
def test_f27_any_name_can_be_read_and_written(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    write_image(path, RGB)
    np.testing.assert_array_equal(read_image(path).pixels, RGB)


def test_f5_limits_hold_before_decoding(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RGB)
    with pytest.raises(ItemError, match="34×21 = 714 pixels, the limit is 713") as caught:
        read_image(tmp_path / "a.png", limits=Limits(whole_pixels=713))
    assert caught.value.code == "E305"
    assert "--max-pixels" in caught.value.hint


def test_a_missing_library_is_named_with_both_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.png", RGB)
    real = builtins.__import__

    def without_cv2(name: str, *args: Any) -> Any:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_cv2)
    with pytest.raises(UserError, match=r"libGL\.so\.1") as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.code == "E210"
    assert "libgl1" in caught.value.hint
    assert "headless" in caught.value.hint
