"""F5 to F10, F28: inputs made to exhaust memory, to read other files or to reach the network."""

from __future__ import annotations

import os
import struct
import time
import warnings
import zlib
from pathlib import Path

import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from resattn.errors import ItemError, UserError
from resattn.io.image import read_image
from resattn.io.raster import open_raster
from resattn.io.sniff import Limits, local_path
from resattn.tiling import Window
from tests.memory import peak_growth


def refusal(path: str | Path, limits: Limits | None = None) -> ItemError:
    """The error of opening `path` as a raster; also bounds its time and memory."""
    start = time.process_time()
    with peak_growth() as grown_mb:
        with pytest.raises(ItemError) as caught, open_raster(path, limits=limits):
            pass
        assert grown_mb() < 100
    assert time.process_time() - start < 1
    return caught.value


def png_claiming(width: int, height: int, bits: int = 1, colour: int = 0) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, body) for kind, body in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )


def tiff_claiming(width: int, height: int, bands: int = 1) -> bytes:
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (277, 3, bands)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def jpeg_claiming(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


BOMBS = {
    "30000² PNG of one bit": (png_claiming(30_000, 30_000), "E305"),
    "100000² PNG": (png_claiming(100_000, 100_000), "E305"),
    "2^31-1 PNG": (png_claiming(2**31 - 1, 2**31 - 1), "E305"),
    "20000² JPEG": (jpeg_claiming(20_000, 20_000), "E305"),
    "million² TIFF": (tiff_claiming(1_000_000, 1_000_000), "E305"),
    "2^32-1 TIFF": (tiff_claiming(2**32 - 1, 2**32 - 1), "E305"),
    "65000-band TIFF": (tiff_claiming(3, 2, 65_000), "E306"),
    "0-band TIFF": (tiff_claiming(3, 2, 0), "E301"),
    "0² PNG": (png_claiming(0, 0), "E301"),
}


@pytest.mark.parametrize(("data", "code"), BOMBS.values(), ids=BOMBS.keys())
def test_f5_f6_f7_bombs_are_refused_by_their_headers(
    tmp_path: Path, data: bytes, code: str
) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(data)
    assert refusal(path).code == code
    if not data.startswith(b"II"):
        with pytest.raises(ItemError) as caught:
            read_image(path)
        assert caught.value.code == code


def test_f5_the_limit_is_named_and_can_be_raised(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_claiming(1000, 1000))
    error = refusal(path, Limits(whole_pixels=999_999))
    assert "1000×1000 = 1000000 pixels, the limit is 999999" in error.message
    assert "--max-pixels" in error.hint
    with open_raster(path) as raster:
        assert raster.info.width == 1000


def sparse_tiff(path: Path, side: int, block: int) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        rasterio.open(
            path, "w", driver="GTiff", height=side, width=side, count=1, dtype="uint16",
            tiled=True, blockxsize=block, blockysize=block, sparse_ok=True,
        ).close()  # fmt: skip
    return path


def test_f6_a_sparse_file_with_huge_blocks_is_refused(tmp_path: Path) -> None:
    error = refusal(sparse_tiff(tmp_path / "blocks.tif", 40_000, 16_384))
    assert error.code == "E305"
    assert "16384×16384" in error.message


def test_f6_f7_limits_without_an_option_are_moved_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESATTN_MAX_BANDS", "1")
    monkeypatch.setenv("RESATTN_MAX_BLOCK_BYTES", "500")
    path = sparse_tiff(tmp_path / "a.tif", 64, 16)
    error = refusal(path)
    assert (error.code, "RESATTN_MAX_BLOCK_BYTES" in error.hint) == ("E305", True)
    monkeypatch.setenv("RESATTN_MAX_BLOCK_BYTES", "512")
    with open_raster(path) as raster:
        assert raster.info.count == 1
    path.write_bytes(tiff_claiming(3, 2, 2))
    error = refusal(path)
    assert (error.code, "RESATTN_MAX_BANDS" in error.hint) == ("E306", True)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1e3", "9" * 5000, "१"])
def test_f6_a_limit_that_is_no_number_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("RESATTN_MAX_BANDS", value)
    with pytest.raises(UserError, match="RESATTN_MAX_BANDS") as caught:
        Limits()
    assert caught.value.code == "E208"


def test_f6_a_sparse_file_with_small_blocks_streams(tmp_path: Path) -> None:
    with open_raster(sparse_tiff(tmp_path / "sparse.tif", 40_000, 512)) as raster:
        assert not raster.read(Window(39_000, 39_000, 512, 512)).any()


VRT = (
    '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1" '
    'subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">{}</SourceFilename>'
    "<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>9</LineOffset>"
    "</VRTRasterBand></VRTDataset>"
)


@pytest.mark.parametrize(
    "text",
    [
        VRT.format("/etc/passwd"),
        VRT.format("/vsicurl/http://127.0.0.1:9/a.tif"),
        VRT.format("scene.tif"),
        "\ufeff \r\n" + VRT.format("/etc/passwd"),
        "<!-- harmless -->" + VRT.format("/etc/passwd"),
        "<?xml version='1.0'?>\n" + VRT.format("/etc/passwd").replace("VRTD", "vrtd"),
        '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service>'
        "</GDAL_WMS>",
        "<WCS_GDAL><ServiceURL>http://127.0.0.1:9/</ServiceURL></WCS_GDAL>",
    ],
)
def test_f9_g13_a_virtual_raster_in_disguise_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scene.tif"
    path.write_text(text, "utf-8")
    assert refusal(path).code == "E308"


def test_f9_one_hidden_behind_a_long_comment_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_text(f"<!-- {'x' * 9000} -->" + VRT.format("/etc/passwd"))
    assert refusal(path).code == "E304"


def test_f9_plain_rasterio_would_have_read_it(tmp_path: Path) -> None:
    """The trap is real: if this ever fails, the guard may be simplified."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(81)))
    path = tmp_path / "scene.tif"
    path.write_text(VRT.format(secret))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            assert dataset.read().tobytes() == secret.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "http://127.0.0.1:9/a.tif",
        "https://127.0.0.1:9/a.tif",
        "ftp://127.0.0.1:9/a.tif",
        "s3://bucket/a.tif",
        "gs://bucket/a.tif",
        "az://container/a.tif",
        "zip+https://127.0.0.1:9/a.zip!a.tif",
        "http:/127.0.0.1:9/a.tif",  # what pathlib makes of it
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "/vsis3/bucket/a.tif",
        "/vsizip/a.zip/a.tif",
        "/vsimem/a.tif",
        "/vsistdin/",
    ],
)
def test_f10_g13_names_of_network_and_virtual_files_are_refused(name: str) -> None:
    for given in (name, Path(name)):
        with pytest.raises(ItemError, match="network or virtual") as caught:
            local_path(given)
        assert caught.value.code == "E309"
    assert refusal(name).code == "E309"


def test_f10_names_that_gdal_would_split_are_plain_files_here(tmp_path: Path) -> None:
    assert refusal(tmp_path / "GTIFF_DIR:1:scene.tif").code == "E314"
    assert refusal("GTIFF_DIR:1:scene.tif").code == "E314"
    assert refusal("NETCDF:a.nc:b").code == "E314"


def test_f27_a_name_with_a_nul_is_refused() -> None:
    assert refusal("a.tif\0.png").code == "E312"


@pytest.mark.timeout(20)
def test_f28_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "dangling.tif").symlink_to("nowhere")
    (tmp_path / "loop.tif").symlink_to("loop.tif")
    codes = {
        name: refusal(tmp_path / f"{name}.tif").code
        for name in ("pipe", "folder", "dangling", "loop", "missing")
    }
    assert codes == {
        "pipe": "E315",
        "folder": "E315",
        "dangling": "E314",
        "loop": "E314",
        "missing": "E314",
    }
    assert refusal("/dev/zero").code == "E315"


def test_messages_show_hostile_names_escaped(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\x1b[2J\xffevil.tif")
    path.write_bytes(b"")
    message = refusal(path).message
    assert message.isprintable()
    assert "\\x1b[2J\\udcffevil.tif" in message
