"""`resattn super-resolve` as a user meets it: files in, files out, exit codes, words."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import Affine

from resattn.io.image import encode_image, read_image
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.upscale.resize import BICUBIC, Resampler
from resattn.weights.export import Origin, pack


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder of listed weights: random ×2 and ×4 of the model `tiny`."""
    from resattn.weights.index import Shelf

    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    for scale in (2, 4):
        torch.manual_seed(scale)
        config = GatedSrConfig(scale=scale, dim=8, blocks=1)
        origin = Origin(
            f"super-resolve.tiny.x{scale}", "super-resolve", "gated-sr", config.to_dict(),
            data="none", data_licence="none", licence="CC0-1.0", command="none",
        )  # fmt: skip
        shelf.put(*pack(GatedSr(config).state_dict(), origin))
    return shelf.folder


@pytest.fixture
def enlarge(resattn, shelf, monkeypatch):
    """`enlarge(input, "-o", out, …)` runs the verb with the model `tiny`."""
    monkeypatch.setenv("RESATTN_HOME", str(shelf))
    return lambda *arguments: resattn("super-resolve", "--model", "tiny", *arguments)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    format = {"jpg": "jpeg"}.get(path.suffix[1:], path.suffix[1:])
    path.write_bytes(encode_image(pixels, format=format))
    return path


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_a_photograph_becomes_four_times_as_large(enlarge, tmp_path):
    source = save(tmp_path / "in.png", noise(3, 10, 12))
    done = enlarge(source, "-o", tmp_path / "out.png")
    assert (done.code, done.err) == (0, "")
    assert "12×10 -> 48×40" in done.out
    assert "network: super-resolve.tiny.x4" in done.out
    assert "sha256" not in done.out
    assert read_image(tmp_path / "out.png").pixels.shape == (3, 40, 48)


@pytest.mark.parametrize(
    ("scale", "network"),
    [("2", "x2"), ("1.5", "x2"), ("3", "x4"), ("8", "x4")],
)
def test_the_nearest_sufficient_network_is_taken(enlarge, tmp_path, scale, network):
    source = save(tmp_path / "in.png", noise(1, 8, 8))
    done = enlarge(source, "-o", tmp_path / "out.png", "--scale", scale)
    assert done.code == 0
    assert f"{network}\n" in done.out
    side = int(8 * float(scale) + 0.5)
    assert read_image(tmp_path / "out.png").pixels.shape == (1, side, side)


def test_a_folder_goes_to_a_folder_in_the_formats_it_has(enlarge, tmp_path):
    save(tmp_path / "in" / "a.png", noise(3, 6, 6))
    save(tmp_path / "in" / "deep" / "b.jpg", noise(3, 6, 6))
    (tmp_path / "in" / "notes.txt").write_text("no image")
    done = enlarge(tmp_path / "in", "-o", tmp_path / "out", "-s", "2")
    assert (done.code, done.err) == (0, "")
    out = tmp_path / "out"
    names = sorted(
        str(p.relative_to(out)) for p in out.rglob("[!.]*.*") if ".resattn" not in p.parts
    )
    assert names == ["a.x2.png", "deep/b.x2.jpg"]


def test_one_bad_file_never_stops_the_others(enlarge, tmp_path):
    folder = tmp_path / "in"
    good = save(folder / "good.png", noise(3, 6, 6))
    (folder / "empty.png").write_bytes(b"")
    (folder / "short.png").write_bytes(good.read_bytes()[:60])
    (folder / "text.tif").write_text("not an image")
    done = enlarge(folder, "-o", tmp_path / "out", "--report", tmp_path / "r.csv")
    assert done.code == 1
    assert (tmp_path / "out" / "good.x4.png").is_file()
    assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == ["good.x4.png"]
    assert {line.split("]")[0] for line in done.err.splitlines()} == {"error[E301", "error[E304"}
    assert "Traceback" not in done.err
    with (tmp_path / "r.csv").open() as file:
        states = {row["item"]: row["status"] for row in csv.DictReader(file)}
    assert states == {"empty": "failed", "good": "ok", "short": "failed", "text": "failed"}


def test_bombs_are_refused_before_they_are_decoded(enlarge, tmp_path):
    with rasterio.open(tmp_path / "bands.tif", "w", driver="GTiff", height=1, width=1,
                       count=2000, dtype="uint8"):  # fmt: skip
        pass
    with rasterio.open(tmp_path / "huge.png", "w", driver="PNG", height=1, width=1, count=1,
                       dtype="uint8") as file:  # fmt: skip
        file.write(np.zeros((1, 1, 1), np.uint8))
    data = bytearray((tmp_path / "huge.png").read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "huge.png").write_bytes(data)
    done = enlarge(tmp_path, "--include", "*.*", "-o", tmp_path / "out")
    assert done.code == 1
    assert "error[E306]" in done.err
    assert "error[E305]" in done.err


def test_the_report_compares_with_bicubic_and_lanczos(enlarge, tmp_path):
    truth = save(tmp_path / "truth" / "in.png", noise(3, 60, 60, seed=1))
    source = save(tmp_path / "in.png", noise(3, 30, 30, seed=2))
    done = enlarge(source, "-o", tmp_path / "out.png", "-s", "2", "--ref", truth,
                   "--report", tmp_path / "r.json")  # fmt: skip
    assert done.code == 0
    (item,) = json.loads((tmp_path / "r.json").read_text())["items"]
    assert set(item["metrics"]) == {"psnr_y", "ssim_y"}
    assert set(item["baselines"]) == {"bicubic", "lanczos"}
    assert "bicubic" in done.out
    assert "lanczos" in done.out
    # The bicubic row is what a direct computation on whole images says.
    low = read_image(source).pixels.astype(np.float32)
    resampler = Resampler((30, 30), (60, 60), BICUBIC)
    from resattn.tiling import Window

    bicubic = np.clip(resampler.apply(low, Window(0, 0, 60, 60)), 0, 255)
    weights = np.array([65.481, 128.553, 24.966])[:, None, None] / 255
    error = ((bicubic - read_image(truth).pixels.astype(float)) * weights).sum(0)[2:-2, 2:-2]
    psnr = 10 * np.log10(255**2 / np.square(error).mean())
    assert item["baselines"]["bicubic"]["psnr_y"] == pytest.approx(psnr, abs=1e-4)


def test_a_reference_of_another_size_is_refused_before_the_work(enlarge, tmp_path):
    truth = save(tmp_path / "truth.png", noise(3, 41, 40))
    source = save(tmp_path / "in.png", noise(3, 10, 10))
    done = enlarge(source, "-o", tmp_path / "out.png", "--ref", truth)
    assert done.code == 1
    assert "error[E328]" in done.err
    assert "40×41" in done.err
    assert not (tmp_path / "out.png").exists()


def test_a_gate_that_is_not_met_is_exit_code_3(enlarge, tmp_path):
    truth = save(tmp_path / "truth.png", noise(3, 40, 40))
    source = save(tmp_path / "in.png", noise(3, 10, 10))
    done = enlarge(source, "-o", tmp_path / "out.png", "--ref", truth, "--fail-under", "psnr_y=60")
    assert done.code == 3


def test_the_preview_shows_both_side_by_side(enlarge, tmp_path):
    source = save(tmp_path / "in.png", noise(3, 20, 20))
    assert enlarge(source, "-o", tmp_path / "out.png", "--preview").code == 0
    preview = read_image(tmp_path / "out.preview.png").pixels
    assert preview.shape == (3, 80, 168)
    np.testing.assert_array_equal(preview[:, :, 88:], read_image(tmp_path / "out.png").pixels)


def test_a_raster_keeps_its_place(enlarge, tmp_path):
    with rasterio.open(tmp_path / "in.tif", "w", driver="GTiff", height=9, width=11, count=4,
                       dtype="uint16", crs="EPSG:32633", nodata=0,
                       transform=Affine(10, 0, 300_000, 0, -10, 5_000_000)) as file:  # fmt: skip
        file.write(noise(4, 9, 11).astype(np.uint16) + 1)
    done = enlarge(tmp_path / "in.tif", "-o", tmp_path / "out.tif", "--ensemble", "-s", "2.5")
    assert (done.code, done.err) == (0, "")
    with rasterio.open(tmp_path / "out.tif") as out:
        assert (out.crs, out.count, out.dtypes[0]) == ("EPSG:32633", 4, "uint16")
        assert out.shape == (23, 28)
        assert out.bounds == (300_000, 4_999_910, 300_110, 5_000_000)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_precision_is_honoured(enlarge, tmp_path, precision):
    source = save(tmp_path / "in.png", noise(3, 16, 16))
    done = enlarge(source, "-o", tmp_path / f"{precision}.png", "--precision", precision)
    assert done.code == 0


def test_mistakes_are_one_sentence_and_exit_code_2(enlarge, tmp_path):
    source = save(tmp_path / "in.png", noise(3, 6, 6))
    out = tmp_path / "out.png"
    for arguments, words in (
        (("--scale", "9"), "--scale 9"),
        (("--range", "bright"), "--range 'bright'"),
        (("-o", tmp_path / "out.gif"), ".gif"),
        (("-o", source), "also an input"),
    ):
        done = enlarge(source, "-o", out, *arguments)
        assert done.code == 2, arguments
        assert words in done.err
        assert "Traceback" not in done.err
        assert not out.exists()


def test_weights_nobody_has_are_named_with_those_there_are(resattn, enlarge, tmp_path):
    source = save(tmp_path / "in.png", noise(3, 6, 6))
    done = resattn("super-resolve", source, "-o", tmp_path / "out.png", "--model", "quick")
    assert done.code == 1
    assert "error[E600]" in done.err
    assert "tiny" in done.err
