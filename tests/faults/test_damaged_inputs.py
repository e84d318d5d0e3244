"""F1, F2, F4: truncated, flipped, empty and mislabelled inputs end in an error, not in pixels.

Plain decoders fail here: rasterio reads truncated PNGs and OpenCV truncated JPEGs without a word.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image as Pillow
from rasterio.errors import NotGeoreferencedWarning

from resattn.errors import ItemError
from resattn.io.image import read_image
from resattn.io.raster import open_raster
from tests.faults.goals import Goal

CUTS = np.linspace(0.1, 0.995, 30)
NOISE = np.random.default_rng(0).integers(0, 256, (3, 80, 90), np.uint8)


def geotiff(**options: object) -> bytes:
    with warnings.catch_warnings(), rasterio.MemoryFile() as file:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with file.open(
            driver="GTiff", height=80, width=90, count=3, dtype="uint8", **options
        ) as dataset:
            dataset.write(NOISE)
        return bytes(file.getbuffer())


def cog() -> bytes:
    with (
        rasterio.MemoryFile(geotiff()) as source,
        source.open() as dataset,
        rasterio.MemoryFile() as file,
    ):
        rasterio.shutil.copy(dataset, file.name, driver="COG", blocksize=128)
        return bytes(file.getbuffer())


def pillow(format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(NOISE.transpose(1, 2, 0))).save(buffer, format, **options)
    return buffer.getvalue()


def jpeg_with_thumbnail() -> bytes:
    """A JPEG whose EXIF block holds another whole JPEG, end marker included."""
    inner = pillow("jpeg", quality=20)
    return pillow("jpeg", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + inner)


RASTERS: dict[str, Callable[[], bytes]] = {
    "TIFF, strips": geotiff,
    "TIFF, tiles": lambda: geotiff(tiled=True, blockxsize=32, blockysize=32),
    "TIFF, one strip": lambda: geotiff(blockysize=80),
    "TIFF, LZW": lambda: geotiff(compress="lzw"),
    "TIFF, deflate": lambda: geotiff(compress="deflate", predictor=2),
    "TIFF, zstd": lambda: geotiff(compress="zstd"),
    "TIFF, big-endian BigTIFF": lambda: geotiff(bigtiff="YES", endianness="BIG"),
    "COG": cog,
    "PNG": lambda: pillow("png"),
    "JPEG": lambda: pillow("jpeg", quality=90),
    "progressive JPEG": lambda: pillow("jpeg", quality=90, progressive=True),
    "WebP": lambda: pillow("webp", lossless=True),
    "JPEG 2000": lambda: pillow("jpeg2000"),
}
PHOTOS: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: pillow("png"),
    "JPEG": lambda: pillow("jpeg", quality=90),
    "progressive JPEG": lambda: pillow("jpeg", quality=90, progressive=True),
    "JPEG with a thumbnail": jpeg_with_thumbnail,
    "WebP": lambda: pillow("webp", lossless=True),
    "lossy WebP": lambda: pillow("webp", quality=80),
}


def raster_pixels(path: Path) -> np.ndarray:
    with open_raster(path) as raster:
        return raster.read()


def photo_pixels(path: Path) -> np.ndarray:
    return read_image(path).pixels


@pytest.mark.parametrize("make", RASTERS.values(), ids=RASTERS.keys())
def test_f1_g2_a_truncated_raster_is_noticed_at_every_length(
    tmp_path: Path, make: Callable[[], bytes], goal: Goal
) -> None:
    data = make()
    path = tmp_path / "a"
    path.write_bytes(data)
    whole = raster_pixels(path)
    for cut in CUTS:
        path.write_bytes(data[: int(len(data) * cut)])
        try:
            found = raster_pixels(path)
        except ItemError:
            continue
        # What was cut off may be padding, but no pixel.
        np.testing.assert_array_equal(found, whole, err_msg=f"silent at {cut:.0%}")
    goal("G2", "30 truncations of a raster", injected=len(CUTS))


@pytest.mark.parametrize("make", PHOTOS.values(), ids=PHOTOS.keys())
def test_f1_g2_a_truncated_photograph_is_noticed_at_every_length(
    tmp_path: Path, make: Callable[[], bytes], goal: Goal
) -> None:
    data = make()
    path = tmp_path / "a"
    path.write_bytes(data)
    photo_pixels(path)
    for length in {*(int(len(data) * cut) for cut in CUTS), len(data) - 1}:
        path.write_bytes(data[:length])
        with pytest.raises(ItemError) as caught:
            photo_pixels(path)
        assert caught.value.code == "E301", length
    goal("G2", "31 truncations of a photograph", injected=len(CUTS) + 1)


@pytest.mark.parametrize("read", [raster_pixels, photo_pixels])
def test_f2_g2_no_flipped_bit_of_a_png_changes_a_pixel(
    tmp_path: Path, read: Callable[[Path], np.ndarray], goal: Goal
) -> None:
    data = bytearray(pillow("png"))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    whole = read(path)
    random = np.random.default_rng(1)
    for place in random.integers(8, len(data), 300):
        changed = data.copy()
        changed[place] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        try:
            found = read(path)
        except ItemError:
            continue
        np.testing.assert_array_equal(found, whole, err_msg=f"bit flipped in byte {place}")
    goal("G2", "300 flips of a PNG", injected=300)


@pytest.mark.parametrize("read", [raster_pixels, photo_pixels])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E304"),
        (b"not an image", "E304"),
        (bytes(5000), "E304"),
        (b"II*\0", "E301"),
        (b"MM\0*\0\0\0\x08", "E301"),
        (b"II+\0\x08\0\0\0" + b"\xff" * 8, "E301"),
        (b"II*\0\x08\0\0\0" + b"\xff" * 60000, "E301"),
        (b"\x89PNG\r\n\x1a\n", "E301"),
        (b"\xff\xd8\xff", "E301"),
        (b"\xff\xd8\xff\xe0" + bytes(9000), "E301"),
        (b"RIFF\0\0\0\0WEBP", "E301"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "E301"),
        (b"BM" + bytes(60), "E310"),
        (b"GIF89a", "E310"),
        (b"PK\x03\x04", "E310"),
        (b"\0\0\0\x1cftypavif", "E310"),
    ],
)
def test_f4_what_is_no_image_is_named(
    tmp_path: Path, read: Callable[[Path], np.ndarray], content: bytes, code: str
) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(content)
    with pytest.raises(ItemError) as caught:
        read(path)
    assert caught.value.code == code
    assert "scene.tif" in caught.value.message
    assert caught.value.hint
