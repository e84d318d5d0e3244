"""`resattn compress`, `decompress` and `rac` as a user meets them.

The network is a cosine transform known by heart; the last test goes the whole way from
`resattn train` to a picture.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin
from rasterio.windows import Window

from resattn.codec.container import read_layout
from resattn.codec.header import TYPES
from resattn.io.image import encode_image, read_image
from resattn.io.metadata import Metadata
from resattn.pipelines import compress as compressing
from resattn.pipelines import compress_networks
from resattn.pipelines import decompress as decompressing
from resattn.weights.index import Entry
from resattn.weights.load import Loaded
from tests.conftest import REPOSITORY
from tests.dct_codec import SHA256, DctCodec

ICC = bytes(range(200)) * 3
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def entry(name, sha256=SHA256):
    return Entry(name, "compress", "f", "compress-net", {}, sha256, 1, 1, "", "", "Apache-2.0", "")


@pytest.fixture
def dct(monkeypatch):
    """The stand-in, installed as the default network."""
    monkeypatch.setattr(compress_networks, "CompressNet", DctCodec)
    monkeypatch.setattr(
        compress_networks, "listed", lambda: {"compress.light": (None, entry("compress.light"))}
    )
    monkeypatch.setattr(
        compress_networks,
        "load",
        lambda name, task: Loaded(DctCodec(), task, name, SHA256, "Apache-2.0", commercial=True),
    )


def photograph(bands=3, height=90, width=130, dtype="uint8"):
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:height, :width] / 30
    unit = np.stack([np.sin(rows * (b + 1)) * np.cos(cols + b) for b in range(bands)]) / 2.3
    unit = np.clip(unit + 0.5 + rng.normal(0, 0.03, unit.shape), 0, 1)
    return (unit * np.iinfo(dtype).max).astype(dtype)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(pixels, **options))
    return path


def exif(orientation):
    return (
        b"II*\0"
        + struct.pack("<IH", 8, 1)
        + struct.pack("<HHIHHI", 0x0112, 3, 1, orientation, 0, 0)
    )


def psnr(first, second, peak=255.0):
    error = np.square(first.astype(float) - second).mean()
    return 10 * np.log10(peak**2 / error) if error else np.inf


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("bands", "alpha"), [(1, False), (1, True), (3, False), (3, True)])
def test_photographs_there_and_back(resattn, dct, tmp_path, dtype, bands, alpha):
    pixels = photograph(bands, dtype=dtype)
    opacity = photograph(1, dtype=dtype)[0] if alpha else None
    blocks = Metadata(ICC, exif(1), XMP)
    source = save(tmp_path / "a.png", pixels, alpha=opacity, metadata=blocks)
    assert resattn("compress", source, "-o", tmp_path, "--quality", "80").code == 0
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    found = read_image(tmp_path / "out" / "a.png")
    assert found.info.dtype == dtype
    assert psnr(found.pixels, pixels, np.iinfo(dtype).max) > 28
    assert (found.alpha is None) == (opacity is None)
    assert opacity is None or (found.alpha == opacity).all()
    assert found.info.metadata == blocks, "byte for byte"


def test_turned_photographs_become_upright_once(resattn, dct, tmp_path):
    stored = photograph(3, 60, 100)
    source = save(tmp_path / "a.png", stored, metadata=Metadata(exif=exif(6)))
    assert resattn("compress", source, "-o", tmp_path, "--lossless").code == 0
    assert resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "b.png").code == 0
    found = read_image(tmp_path / "b.png")
    assert found.info.orientation == 1
    np.testing.assert_array_equal(found.pixels, read_image(source).pixels)


def write_raster(path, pixels, **profile):
    settings = {
        "driver": "GTiff", "height": pixels.shape[1], "width": pixels.shape[2],
        "count": len(pixels), "dtype": str(pixels.dtype), "crs": "EPSG:32633",
        "transform": from_origin(400000.5, 5600000.25, 10.0, 10.0), **profile,
    }  # fmt: skip
    with rasterio.open(path, "w", **settings) as dataset:
        dataset.write(pixels)
        dataset.descriptions = [f"band {n}" for n in range(len(pixels))]
        dataset.update_tags(SENSOR="made up", QUOTED='a "b" ü')
        dataset.update_tags(1, WAVELENGTH="490")
        dataset.scales, dataset.offsets = (0.1,) * len(pixels), (0.0,) * len(pixels)
    return path


def described(path):
    with rasterio.open(path) as d:
        return {
            "crs": d.crs, "transform": d.transform, "nodata": d.nodata, "dtypes": d.dtypes,
            "descriptions": d.descriptions, "scales": d.scales, "shape": d.shape,
            "tags": {k: v for k, v in d.tags().items() if k in ("SENSOR", "QUOTED")},
            "band_tags": d.tags(1), "colorinterp": d.colorinterp,
        }  # fmt: skip


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize(
    ("dtype", "nodata", "bands"),
    [("uint16", 0, 4), ("int16", -9999, 1), ("uint8", None, 2), ("float32", -1.0, 5)],
)
@pytest.mark.parametrize("how", [("--lossless",), ("--quality", "90")])
def test_rasters_keep_everything(resattn, dct, tmp_path, dtype, nodata, bands, how):
    pixels = (photograph(bands, 150, 200, "uint16") // 16 + 100).astype(
        "float32" if dtype == "float32" else "int32"
    )
    pixels = (pixels / (20 if dtype == "uint8" else 1)).astype(dtype)
    if nodata is not None:
        pixels[:, 40:90, 30:120] = nodata
    source = write_raster(tmp_path / "a.tif", pixels, nodata=nodata)
    done = resattn("compress", source, "-o", tmp_path, "--tile", "128", *how)
    assert done.code == 0, done.err
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "out", "--ref", source)
    assert done.code == 0, done.err
    out = tmp_path / "out" / "a.tif"
    assert described(out) == described(source)
    found = read(out)
    if how == ("--lossless",):
        np.testing.assert_array_equal(found, pixels)
        return
    real = np.ones(pixels.shape, bool) if nodata is None else pixels != nodata
    assert ((found == nodata) == ~real).all() if nodata is not None else True
    assert psnr(found[real], pixels[real], np.ptp(pixels[real].astype(float))) > 30


def test_nan_and_masks_survive(resattn, dct, tmp_path):
    pixels = photograph(3).astype("float32")
    pixels[:, :40, :40] = np.nan
    source = write_raster(tmp_path / "nan.tif", pixels)
    masked = write_raster(tmp_path / "mask.tif", photograph(3))
    keep = np.ones((90, 130), bool)
    keep[50:, :64] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as dataset:
        dataset.write_mask(keep)
    assert resattn("compress", source, masked, "-o", tmp_path, "--tile", "64").code == 0
    done = resattn("decompress", tmp_path / "nan.rac", tmp_path / "mask.rac", "-o", tmp_path / "o")
    assert done.code == 0, done.err
    assert (np.isnan(read(tmp_path / "o" / "nan.tif")) == np.isnan(pixels)).all()
    with rasterio.open(tmp_path / "o" / "mask.tif") as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() != 0, keep)


def test_ground_control_points_survive_and_move_with_a_window(resattn, dct, tmp_path):
    points = [GroundControlPoint(r, c, c * 2.0, r * 3.0, 0.0) for r in (0, 80) for c in (0, 100)]
    source = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": 90, "width": 130, "count": 1, "dtype": "uint8"}
    with rasterio.open(source, "w", **profile, gcps=points, crs="EPSG:4326") as dataset:
        dataset.write(photograph(1))
    assert resattn("compress", source, "-o", tmp_path).code == 0
    arguments = ("decompress", tmp_path / "a.rac", "-o", tmp_path / "w.tif")
    assert resattn(*arguments, "--window", "10,20,50,60").code == 0
    with rasterio.open(tmp_path / "w.tif") as dataset:
        found, crs = dataset.gcps
    assert [(p.row, p.col, p.x, p.y) for p in found] == [
        (p.row - 10, p.col - 20, p.x, p.y) for p in points
    ]
    assert crs.to_epsg() == 4326


@pytest.mark.parametrize("window", ["0,0,1,1", "60,60,10,20", "0,64,128,64", "149,199,1,1"])
def test_a_window_is_the_same_part_of_the_whole(resattn, dct, tmp_path, window):
    source = write_raster(tmp_path / "a.tif", photograph(3, 150, 200))
    assert resattn("compress", source, "-o", tmp_path, "--tile", "64").code == 0
    assert resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "all.tif").code == 0
    arguments = ("decompress", tmp_path / "a.rac", "-o", tmp_path / "part.tif")
    done = resattn(*arguments, "--window", window)
    assert done.code == 0, done.err
    row, col, height, width = map(int, window.split(","))
    expected = read(tmp_path / "all.tif")[:, row : row + height, col : col + width]
    np.testing.assert_array_equal(read(tmp_path / "part.tif"), expected)
    place = described(tmp_path / "part.tif")["transform"]
    assert (place.c, place.f) == (400000.5 + 10 * col, 5600000.25 - 10 * row)


def test_a_window_outside_is_refused(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph())
    assert resattn("compress", source, "-o", tmp_path).code == 0
    arguments = ("decompress", tmp_path / "a.rac", "-o", tmp_path / "b.png", "--window")
    done = resattn(*arguments, "80,0,20,10")
    assert done.code == 1
    assert "leaves the image of 90 rows and 130 columns" in done.err
    done = resattn(*arguments, "1,2,3")
    assert done.code == 2
    assert "ROW,COL,HEIGHT,WIDTH" in done.err


def test_higher_quality_is_larger_and_better(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph(3, 192, 200))
    rows = []
    for quality in ("10", "50", "95"):
        done = resattn(
            "compress", source, "-o", tmp_path / f"{quality}.rac", "--quality", quality,
            "--score", "--format", "json",
        )  # fmt: skip
        (item,) = json.loads(done.out)["items"]
        size = (tmp_path / f"{quality}.rac").stat().st_size
        assert item["metrics"]["bpp"] == pytest.approx(8 * size / (192 * 200))
        rows.append([item["metrics"][name] for name in ("bpp", "psnr", "ms_ssim")])
    assert (np.diff(rows, axis=0) > 0).all()


def test_targets_are_met(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph(3, 128, 128))
    files = [tmp_path / f"{n}.rac" for n in range(4)]
    assert resattn("compress", source, "-o", files[0], "--target-bpp", "4").code == 0
    size = files[0].stat().st_size
    assert 3.2 < 8 * size / 128**2 <= 4
    done = resattn("compress", source, "-o", files[1], "--target-bpp", "0.01")
    assert done.code == 0
    assert "even the lowest quality needs more than 0.01" in done.err
    done = resattn(
        "compress",
        source,
        "-o",
        files[2],
        "--target-psnr",
        "36",
        "--score",
        "--fail-under",
        "psnr=36",
    )
    assert done.code == 0, done.err
    done = resattn("compress", source, "-o", files[3], "--quality", "5", "--fail-over", "bpp=0.001")
    assert done.code == 3


def test_baselines_stand_beside_the_result_at_its_size(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph(3, 192, 192))
    done = resattn("compress", source, "-o", tmp_path / "a.rac", "--baselines", "--format", "json")
    assert done.code == 0, done.err
    (item,) = json.loads(done.out)["items"]
    assert {"jpeg", "webp"} <= set(item["baselines"])
    for row in item["baselines"].values():
        assert row["bpp"] <= item["metrics"]["bpp"]
        assert 15 < row["psnr"] < 60
    assert "no encoder here for jxl" in done.err


def test_sizes_down_to_one_pixel(resattn, dct, tmp_path):
    for height, width in ((1, 1), (1, 300), (65, 1), (64, 64)):
        source = save(tmp_path / "in" / f"{height}x{width}.png", photograph(3, height, width))
        assert resattn("compress", source, "-o", tmp_path / "rac").code == 0
        file = tmp_path / "rac" / f"{height}x{width}.rac"
        assert resattn("decompress", file, "-o", tmp_path / "out").code == 0
        found = read_image(tmp_path / "out" / f"{height}x{width}.png").pixels
        assert found.shape == (3, height, width)


def test_a_line_is_tiled_by_what_the_network_sees_of_it(resattn, dct, tmp_path):
    """65,600 pixels are 4.2 million once they are padded to the network's stride."""
    source = write_raster(tmp_path / "a.tif", photograph(3, 1, 65_600))
    assert resattn("compress", source, "-o", tmp_path).code == 0
    found = json.loads(resattn("rac", "info", "--json", tmp_path / "a.rac").out)[0]
    assert (found["tile"], found["tiles"]) == (1024, 65)


@pytest.mark.slow
def test_the_largest_raster_there_and_back(resattn, dct, tmp_path):
    """65,535 × 65,535, nearly all of one value; the last corner is a photograph."""
    source, coded, back = (tmp_path / name for name in ("in.tif", "in.rac", "back.tif"))
    side, corner = 2**16 - 1, Window(2**16 - 1 - 200, 2**16 - 1 - 150, 200, 150)
    profile = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True}
    grid = {"crs": "EPSG:32631", "transform": from_origin(4e5, 5e6, 1, 1)}
    shape = {"count": 1, "height": side, "width": side, "dtype": "uint8"}
    pixels = photograph(1, 150, 200)
    with rasterio.open(source, "w", driver="GTiff", **profile, **grid, **shape) as dataset:
        dataset.write(pixels, window=corner)
    assert resattn("compress", source, "-o", coded, "--quality", 90).code == 0
    assert coded.stat().st_size < 2**18
    assert resattn("decompress", coded, "-o", back).code == 0
    with rasterio.open(back) as dataset:
        assert (dataset.shape, dataset.transform) == ((side, side), grid["transform"])
        assert psnr(dataset.read(window=corner), pixels) > 30
        assert not dataset.read(window=Window(0, 0, side, 512)).any()


@pytest.mark.parametrize("dtype", TYPES)
def test_the_smallest_rasters_of_every_type(dct, tmp_path, dtype):
    for (height, width), bands in (((1, 1), 1), ((1, 1), 5), ((1, 130), 4), ((70, 1), 2)):
        pixels = (photograph(bands, height, width) // 2).astype(dtype)
        source = write_raster(tmp_path / "a.tif", pixels)
        for lossless in (False, True):
            options = {"overwrite": True, "lossless": lossless}
            compressing.compress(source, tmp_path / "a.rac", **options)
            out = tmp_path / "b.tif"
            decompressing.decompress(tmp_path / "a.rac", out, overwrite=True)
            assert described(out) == described(source)
            difference = read(out).astype(float) - pixels
            assert np.abs(difference).max() <= (0 if lossless else 16)


def test_folders_bad_files_and_second_runs(resattn, dct, tmp_path):
    for name in ("a", "deep/b"):
        save(tmp_path / "in" / f"{name}.png", photograph())
    (tmp_path / "in" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    done = resattn("compress", tmp_path / "in", "-o", tmp_path / "rac")
    assert done.code == 1
    assert "error[E301] bad" in done.err
    found = sorted(p.relative_to(tmp_path / "rac").as_posix() for p in tmp_path.rglob("*.rac"))
    assert found == ["a.rac", "deep/b.rac"]
    assert resattn("compress", tmp_path / "in", "-o", tmp_path / "rac").code == 2
    done = resattn("decompress", tmp_path / "rac", "-o", tmp_path / "out", "--dry-run")
    assert f"write\t{tmp_path / 'out' / 'deep' / 'b.png'}" in done.out
    assert resattn("decompress", tmp_path / "rac", "-o", tmp_path / "out").code == 0


def test_equal_inputs_give_equal_bytes(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph())
    for name in ("1.rac", "2.rac"):
        assert resattn("compress", source, "-o", tmp_path / name).code == 0
    assert (tmp_path / "1.rac").read_bytes() == (tmp_path / "2.rac").read_bytes()


def test_truncated_files_are_refused_and_can_be_salvaged(resattn, dct, tmp_path):
    pixels = photograph(3, 192, 64)
    source = save(tmp_path / "a.png", pixels)
    assert resattn("compress", source, "-o", tmp_path, "--tile", "64").code == 0
    data = (tmp_path / "a.rac").read_bytes()
    offsets = read_layout(io.BytesIO(data)).offsets
    cut = tmp_path / "cut.rac"
    cut.write_bytes(data[: int(offsets[1]) + 3])
    out = tmp_path / "out.png"
    done = resattn("decompress", cut, "-o", out)
    assert done.code == 1
    assert "error[E301]" in done.err
    assert "--salvage" in done.err
    assert not out.exists()
    done = resattn("decompress", cut, "-o", out, "--salvage")
    assert done.code == 0
    assert "rows 64–127, columns 0–63 is lost" in done.err
    found = read_image(out).pixels
    assert psnr(found[:, :64], pixels[:, :64]) > 28
    assert (found[:, 64:] == 0).all()


def test_verify_and_info_tell_what_is_there(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph(3, 150, 100), metadata=Metadata(ICC))
    assert resattn("compress", source, "-o", tmp_path, "--tile", "64").code == 0
    file = tmp_path / "a.rac"
    (found,) = json.loads(resattn("rac", "info", file, "--json").out)
    assert (found["width"], found["height"], found["bands"], found["dtype"]) == (
        100, 150, 3, "uint8",
    )  # fmt: skip
    assert found["tiles"] == sum(found["units"].values()) == 6
    assert found["network"] == {"name": "compress.light", "sha256_prefix": SHA256[:16]}
    assert found["metadata"]["ICCP"] == len(ICC)
    assert "compress.light" in resattn("rac", "info", file).out
    assert "sound, 6 units checked (decoded)" in resattn("rac", "verify", file).out
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    bad = tmp_path / "bad.rac"
    bad.write_bytes(data)
    done = resattn("rac", "verify", bad, file)
    assert done.code == 1
    assert "tile 5 at row 128, column 64: its checksum differs" in done.err
    assert "sound" in done.out


def test_info_starts_without_torch(dct, tmp_path):
    """A listing of an archive asks this of every file."""
    source = save(tmp_path / "a.png", photograph())
    compressing.compress(source, tmp_path / "a.rac")
    code = (
        "import sys\nfrom resattn.pipelines.rac import describe\nfrom pathlib import Path\n"
        "describe(Path(sys.argv[1]))\nassert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.rac")]
    subprocess.run(command, check=True, cwd=REPOSITORY)


def test_a_file_of_another_network_says_so(resattn, dct, tmp_path, monkeypatch):
    source = save(tmp_path / "a.png", photograph())
    assert resattn("compress", source, "-o", tmp_path, "--quality", "20").code == 0
    monkeypatch.setattr(compress_networks, "listed", dict)
    file = tmp_path / "a.rac"
    done = resattn("decompress", file, "-o", tmp_path / "b.png")
    assert done.code == 1
    assert (
        f"error[E600] a: the file was made with compress.light (sha256 {SHA256[:16]}…)" in done.err
    )
    assert "network is not installed" in resattn("rac", "verify", file).out
    monkeypatch.setattr(
        compress_networks,
        "load",
        lambda name, task: Loaded(DctCodec(), task, name, "00" * 32, "MIT", commercial=True),
    )
    done = resattn("decompress", file, "-o", tmp_path / "b.png", "--weights", "x.safetensors")
    assert done.code == 1
    assert "is another network" in done.err


def test_a_file_kept_exactly_needs_no_network_to_be_read(resattn, dct, tmp_path, monkeypatch):
    """Which of its tiles would be exact was not known when the network's name was written."""
    pixels = np.full((3, 90, 130), 77, np.uint8)
    source = save(tmp_path / "a.png", pixels)
    assert resattn("compress", source, "-o", tmp_path).code == 0
    monkeypatch.setattr(compress_networks, "listed", dict)
    file = tmp_path / "a.rac"
    assert resattn("decompress", file, "-o", tmp_path / "b.png").code == 0
    assert (read_image(tmp_path / "b.png").pixels == pixels).all()
    assert "(decoded)" in resattn("rac", "verify", file).out


def test_a_file_of_an_earlier_training_says_so(resattn, dct, tmp_path, monkeypatch):
    source = save(tmp_path / "a.png", photograph())
    assert resattn("compress", source, "-o", tmp_path, "--quality", "20").code == 0
    later = dataclasses.replace(entry("compress.light"), sha256="5e" * 32)
    monkeypatch.setattr(compress_networks, "listed", lambda: {later.name: (None, later)})
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "b.png")
    assert done.code == 1
    assert (
        f"made with compress.light (sha256 {SHA256[:16]}…), the compress.light installed here is "
        f"another training (sha256 {'5e' * 8}…)" in done.err
    )
    kept = dataclasses.replace(entry("compress.light"), name="compress.light.first")
    both = {row.name: (None, row) for row in (later, kept)}
    monkeypatch.setattr(compress_networks, "listed", lambda: both)
    assert resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "b.png").code == 0


def test_without_weights_the_remedies_are_named(resattn, tmp_path, monkeypatch):
    monkeypatch.setattr(compress_networks, "listed", dict)
    source = save(tmp_path / "a.png", photograph())
    done = resattn("compress", source, "-o", tmp_path)
    assert done.code == 1
    assert "error[E600] no network for compress is installed" in done.err
    for remedy in ("resattn train compress", "--weights", "--lossless"):
        assert remedy in done.err
    assert resattn("compress", source, "-o", tmp_path, "--lossless").code == 0
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "b.png", "--ref", source)
    assert done.code == 0, done.err
    assert "inf" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--target-bpp", "1", "--lossless"), "E208", "exclude each other"),
        (("--tile", "100"), "E208", "give 64 or 128"),
        (("--range", "5,1"), "E208", "is no range"),
    ],
)
def test_wrong_options_are_refused_before_any_work(resattn, dct, tmp_path, arguments, code, words):
    source = save(tmp_path / "a.png", photograph())
    done = resattn("compress", source, "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert f"error[{code}]" in done.err
    assert words in done.err
    assert not (tmp_path / "out").exists()


def test_outputs_are_named_for_what_they_are(resattn, dct, tmp_path):
    source = save(tmp_path / "a.png", photograph(3, dtype="uint16"))
    done = resattn("compress", source, "-o", tmp_path / "a.jxl")
    assert done.code == 2
    assert "end the name in .rac" in done.err
    assert resattn("compress", source, "-o", tmp_path).code == 0
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "a.jpg")
    assert done.code == 1
    assert "cannot hold 3 bands of uint16" in done.err
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "a.tif")
    assert done.code == 0, done.err
    assert read(tmp_path / "a.tif").dtype == np.uint16


def test_clipped_samples_are_counted(resattn, dct, tmp_path):
    source = write_raster(tmp_path / "a.tif", photograph(3, dtype="uint16"))
    done = resattn("compress", source, "-o", tmp_path, "--range", "0,30000", "--quality", "20")
    assert done.code == 0
    assert "samples lie beyond the range" in done.err


@pytest.fixture
def pipe(resattn, monkeypatch):
    """`pipe(verb, data, …)` feeds bytes and returns the outcome and the bytes that came out."""

    def call(verb, data, *more):
        out = io.TextIOWrapper(io.BytesIO())
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            patch.setattr(sys, "stdout", out)
            done = resattn(verb, "-", "-o", "-", *more)
        return done, out.buffer.getvalue()

    return call


def test_bytes_through_pipes(pipe, tmp_path):
    pixels = photograph()
    done, coded = pipe("compress", encode_image(pixels), "--lossless")
    assert done.code == 0
    assert "stdin" in done.err
    done, back = pipe("decompress", coded)
    assert done.code == 0
    (tmp_path / "back.png").write_bytes(back)
    np.testing.assert_array_equal(read_image(tmp_path / "back.png").pixels, pixels)
    done, nothing = pipe("decompress", coded[:-1])
    assert (done.code, nothing) == (1, b"")
    assert "error[E301]" in done.err


@pytest.mark.slow
def test_bytes_through_pipes_of_real_processes(tmp_path):
    source = save(tmp_path / "a.png", photograph())
    line = f'"{sys.executable}" -m resattn'
    subprocess.run(
        f'{line} compress - -o - --lossless < "{source}" | {line} decompress - -o - > out.png',
        shell=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    np.testing.assert_array_equal(
        read_image(tmp_path / "out.png").pixels, read_image(source).pixels
    )


def test_a_pipe_takes_one_image(resattn, tmp_path):
    done = resattn("compress", tmp_path, "-o", "-", "--lossless")
    assert done.code == 2
    assert "bytes of one image" in done.err


def test_the_python_functions_take_the_same_options(dct, tmp_path):
    source = save(tmp_path / "a.png", photograph())
    result = compressing.compress(source, tmp_path / "a.rac", quality=60, score=True)
    assert result.metrics["psnr"] > 26
    back = decompressing.decompress(tmp_path / "a.rac", tmp_path / "b.png", reference=source)
    assert back.metrics["psnr"] == pytest.approx(result.metrics["psnr"])
    assert back.outputs == (tmp_path / "b.png",)


@pytest.mark.slow
def test_from_training_to_a_picture(resattn, tmp_path):
    for index in range(4):
        save(tmp_path / "photos" / f"{index}.png", np.roll(photograph(3, 192, 192), index * 40, 2))
    tiny = {
        "dim": 96, "z_dim": 8, "hyper": 16,
        "transforms": {"fine": 8, "coarse": 16, "analysis": [1, 1], "synthesis": [1, 1]},
        "context": {"hidden": 16, "slices": [16]},
    }  # fmt: skip
    settings = [f"model.{key}={json.dumps(value)}" for key, value in tiny.items()]
    done = resattn(
        "train", "compress", "--data", tmp_path / "photos", "--run", tmp_path / "run",
        "--steps", "2", "--batch", "2", "--side", "128", "--folds", "2", "--quiet",
        *(part for text in [*settings, "patch=64"] for part in ("--set", text)),
    )  # fmt: skip
    assert done.code == 0, done.err
    weights = ("--weights", tmp_path / "run" / "mine.safetensors")
    source = tmp_path / "photos" / "0.png"
    done = resattn("compress", source, "-o", tmp_path / "a.rac", "--score", *weights)
    assert done.code == 0, done.err
    found = json.loads(resattn("rac", "info", tmp_path / "a.rac", "--json").out)[0]
    assert found["units"]["network"] == 1
    done = resattn("decompress", tmp_path / "a.rac", "-o", tmp_path / "a.png", *weights)
    assert done.code == 0, done.err
    assert psnr(read_image(tmp_path / "a.png").pixels, read_image(source).pixels) > 20
    assert "decoded" in resattn("rac", "verify", tmp_path / "a.rac", *weights).out
