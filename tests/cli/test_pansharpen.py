"""`resattn pansharpen` as a user meets it: files in, files out, exit codes, words."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

from resattn.pipelines.fusers import METHODS
from resattn.pipelines.pansharpen import pansharpen
from tests.scenes import make_scene, truth_image, write

FAST = ("--method", "mtf-glp-hpm", "--no-metrics")


def rmse(path, truth) -> float:
    with rasterio.open(path) as image:
        return float(np.sqrt(np.mean((image.read().astype(float) - truth) ** 2)))


def test_the_result_lies_on_the_pan_grid_and_keeps_what_ms_says(resattn, tmp_path):
    scene = make_scene(tmp_path)
    out = tmp_path / "sharp.tif"
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", out, *FAST)
    assert (done.code, done.err) == (0, "")
    with rasterio.open(out) as image, rasterio.open(scene.pan) as pan:
        assert (image.crs, image.transform, image.shape) == (pan.crs, pan.transform, pan.shape)
        assert image.dtypes == ("uint16",) * 4
        assert image.descriptions == ("band 1", "band 2", "band 3", "band 4")
        assert image.tags()["RESATTN_METHOD"] == "mtf-glp-hpm"


def test_it_is_nearer_to_the_truth_than_interpolation(resattn, tmp_path):
    scene = make_scene(tmp_path)
    out = tmp_path / "sharp.tif"
    assert resattn("pansharpen", scene.pan, scene.ms, "-o", out, *FAST).code == 0
    with rasterio.open(scene.ms) as ms:
        plain = ndimage.zoom(
            ms.read().astype(float), (1, 4, 4), order=3, grid_mode=True, mode="nearest"
        )
    assert rmse(out, scene.truth) < 0.8 * np.sqrt(np.mean((plain - scene.truth) ** 2))


def test_help_names_every_method(resattn):
    page = " ".join(resattn("pansharpen", "--help").out.split())
    assert [method for method in METHODS if method not in page] == []


def test_auto_is_no_worse_than_the_best_classical_method(resattn, tmp_path):
    scene = make_scene(tmp_path, side=128)
    out = tmp_path / "out.tif"
    command = ("pansharpen", scene.pan, scene.ms, "-o", out, "--format", "json", "--save-weights")
    done = resattn(*command, "--adapt-steps", 20)
    assert done.code == 0
    (item,) = json.loads(done.out)["items"]
    facts, metrics = item["facts"], item["metrics"]
    baseline = resattn(
        "pansharpen", scene.pan, scene.ms, "-o", tmp_path / "b.tif", "--format", "json",
        "--method", facts["start"],
    )  # fmt: skip
    (classical,) = json.loads(baseline.out)["items"]
    assert metrics["r_ergas"] <= classical["metrics"]["r_ergas"]
    assert metrics["r_q2n"] >= classical["metrics"]["r_q2n"]
    kept = out.with_suffix(".safetensors")
    assert kept.exists() == (facts["method"] == "lambda-pnn")


def test_adapted_weights_start_the_next_tile_and_results_repeat(resattn, tmp_path):
    scene = make_scene(tmp_path, side=64)
    command = ("pansharpen", scene.pan, scene.ms, "--method", "lambda-pnn", "--no-metrics")
    for name in ("a", "b"):
        made = resattn(
            *command, "-o", tmp_path / f"{name}.tif", "--adapt-steps", 5, "--save-weights"
        )
        assert made.code == 0
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    start = ("--adapt-steps", 0, "--weights", tmp_path / "a.safetensors")
    again = resattn(*command, "-o", tmp_path / "c.tif", *start)
    assert again.code == 0
    with rasterio.open(tmp_path / "a.tif") as one, rasterio.open(tmp_path / "c.tif") as two:
        assert np.abs(one.read().astype(int) - two.read().astype(int)).max() <= 1
    wrong = make_scene(tmp_path / "other", side=64, bands=3)
    refused = resattn(
        "pansharpen", wrong.pan, wrong.ms, "--method", "lambda-pnn", "-o", tmp_path / "d.tif",
        "--weights", tmp_path / "a.safetensors",
    )  # fmt: skip
    assert refused.code == 1
    assert "4 bands" in refused.err


@pytest.mark.parametrize(
    "method",
    ["exp", "brovey", "gsa", "mtf-glp", "mtf-glp-fs", "mtf-glp-hpm", "mtf-glp-reg", "bdsd"],
)
def test_every_classical_method_runs(resattn, tmp_path, method):
    scene = make_scene(tmp_path, side=64)
    out = tmp_path / "out.tif"
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", out, "--method", method, "--no-metrics")
    assert done.code == 0
    assert rmse(out, scene.truth) < 350


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_the_type_stays(resattn, tmp_path, dtype):
    scene = make_scene(tmp_path, side=64, dtype=dtype)
    out = tmp_path / "out.tif"
    assert resattn("pansharpen", scene.pan, scene.ms, "-o", out, *FAST).code == 0
    with rasterio.open(out) as image:
        assert image.dtypes[0] == dtype


def test_the_tile_size_changes_nothing(resattn, tmp_path):
    scene = make_scene(tmp_path, side=1200, bands=2)
    images = []
    for tile in (512, 1536):
        out = tmp_path / f"{tile}.tif"
        assert (
            resattn("pansharpen", scene.pan, scene.ms, "-o", out, *FAST, "--tile", tile).code == 0
        )
        with rasterio.open(out) as image:
            images.append(image.read().astype(int))
    assert np.abs(images[0] - images[1]).max() == 0


def test_nodata_stays_nodata_and_does_not_bleed(resattn, tmp_path):
    """What a missing pixel holds must not matter anywhere: 0 and 65535 give the same image."""
    images = []
    for nodata in (0, 65535):
        scene = make_scene(tmp_path / str(nodata), nodata=nodata, hole=True)
        out = tmp_path / f"{nodata}.tif"
        assert resattn("pansharpen", scene.pan, scene.ms, "-o", out, *FAST).code == 0
        with rasterio.open(out) as image:
            assert image.nodata == nodata
            missing = image.read() == nodata
            images.append(np.where(missing, 0, image.read()))
        assert missing[:, :32, :32].all()
        assert not missing[:, 32:, :].any()
        assert not missing[:, :, 32:].any()
    np.testing.assert_array_equal(*images)


def test_band_files_in_the_order_given(resattn, tmp_path):
    scene = make_scene(tmp_path, side=64, bands=3)
    with rasterio.open(scene.ms) as ms:
        stacked, pixel = ms.read(), ms.transform.a
    files = [write(tmp_path / f"b{i}.tif", stacked[i : i + 1], pixel) for i in (2, 0)]
    out = tmp_path / "out.tif"
    assert resattn("pansharpen", scene.pan, *files, "-o", out, *FAST).code == 0
    other = tmp_path / "other.tif"
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", other, *FAST, "--bands", "3,1")
    assert done.code == 0
    with rasterio.open(out) as one, rasterio.open(other) as two:
        np.testing.assert_array_equal(one.read(), two.read())


def test_ms_offset_by_half_a_pixel_and_a_ratio_that_is_no_integer(resattn, tmp_path):
    """The georeference places MS: 128 PAN pixels of 1 m under MS pixels of 2.5 m, offset 0.5 m."""
    fine = truth_image(3, 640, 640)  # 0.2 m
    pan = fine.mean(axis=0, keepdims=True).reshape(1, 128, 5, 128, 5).mean(axis=(2, 4))
    # 2.5 m is 12.5 fine pixels: average a common refinement of 0.1 m instead.
    finer = fine.repeat(2, axis=1).repeat(2, axis=2)[:, 5:, 5:]
    ms = finer[:, : 25 * 50, : 25 * 50].reshape(3, 50, 25, 50, 25).mean(axis=(2, 4))
    write(tmp_path / "pan.tif", pan, 1.0)
    write(tmp_path / "ms.tif", ms, 2.5, transform=from_origin(500000.5, 5199999.5, 2.5, 2.5))
    out = tmp_path / "out.tif"
    done = resattn("pansharpen", tmp_path / "pan.tif", tmp_path / "ms.tif", "-o", out, *FAST)
    assert done.code == 0
    truth = fine.reshape(3, 128, 5, 128, 5).mean(axis=(2, 4))
    with rasterio.open(out) as image:
        fused = image.read().astype(float)
        valid = image.read_masks(1) > 0
    inner = np.s_[:, 8:-8, 8:-8]
    assert valid[8:-8, 8:-8].all()
    assert np.sqrt(np.mean((fused[inner] - truth[inner]) ** 2)) < 90


def test_a_folder_of_scenes_one_of_them_broken(resattn, tmp_path):
    for name in ("a", "b", "c"):
        make_scene(tmp_path / "in" / name, side=64)
    broken = tmp_path / "in" / "b" / "ms.tif"
    broken.write_bytes(broken.read_bytes()[:900])
    done = resattn("pansharpen", tmp_path / "in", "-o", tmp_path / "out", *FAST)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("error[E301] b:")
    assert "ms.tif" in line
    made = sorted(path.name for path in (tmp_path / "out").glob("[!.]*"))
    assert made == ["a.pansharpened.tif", "c.pansharpened.tif"]


def test_a_dry_run_says_what_a_run_does(resattn, tmp_path):
    for name in ("a", "b"):
        make_scene(tmp_path / "in" / name, side=64)
    command = ("pansharpen", tmp_path / "in", "-o", tmp_path / "out", *FAST)
    planned = resattn(*command, "--dry-run")
    assert not (tmp_path / "out").exists()
    assert resattn(*command).code == 0
    promised = {
        line.split("\t")[1] for line in planned.out.splitlines() if line.startswith("write")
    }
    assert promised == {str(path) for path in (tmp_path / "out").glob("[!.]*")}


def test_existing_outputs(resattn, tmp_path):
    scene = make_scene(tmp_path, side=64)
    out = tmp_path / "out.tif"
    out.write_bytes(b"mine")
    command = ("pansharpen", scene.pan, scene.ms, "-o", out, *FAST)
    refused = resattn(*command)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert out.read_bytes() == b"mine"
    assert resattn(*command, "--skip-existing").code == 0
    assert out.read_bytes() == b"mine"
    assert resattn(*command, "--overwrite").code == 0
    assert out.read_bytes() != b"mine"


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_the_output_may_not_be_an_input(resattn, tmp_path, link):
    scene = make_scene(tmp_path, side=64)
    before = scene.ms.read_bytes()
    link(scene.ms, tmp_path / "out.tif")
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", tmp_path / "out.tif", "--overwrite")
    assert done.code == 2
    assert scene.ms.read_bytes() == before


def swap(scene, folder):
    return scene.ms.rename(folder / "one.tif"), scene.pan.rename(folder / "two.tif")


def other_crs(scene, folder):
    with rasterio.open(scene.ms) as ms:
        return scene.pan, write(folder / "crs.tif", ms.read(), 4.0, crs="EPSG:32633")


def far_away(scene, folder):
    with rasterio.open(scene.ms) as ms:
        moved = from_origin(600000, 5200000, 4, 4)
        return scene.pan, write(folder / "far.tif", ms.read(), 4.0, transform=moved)


def coarse_pan(scene, folder):
    with rasterio.open(scene.ms) as ms:
        return write(folder / "coarse.tif", ms.read([1]), 8.0), scene.ms


def all_nodata(scene, folder):
    with rasterio.open(scene.ms) as ms:
        return scene.pan, write(folder / "nothing.tif", ms.read() * 0, 4.0, nodata=0)


def empty_file(scene, folder):
    (folder / "empty.tif").touch()
    return scene.pan, folder / "empty.tif"


def text_file(scene, folder):
    (folder / "text.tif").write_text("not an image")
    return scene.pan, folder / "text.tif"


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (swap, "swapped"),
        (other_crs, "EPSG:32633"),
        (far_away, "overlap"),
        (coarse_pan, "swapped"),
        (all_nodata, "valid"),
        (empty_file, "empty.tif"),
        (text_file, "text.tif"),
    ],
)
def test_a_wrong_input_is_one_sentence_and_leaves_nothing(resattn, tmp_path, mistake, words):
    scene = make_scene(tmp_path / "in", side=64)
    pan, ms = mistake(scene, tmp_path)
    out = tmp_path / "out" / "sharp.tif"
    done = resattn("pansharpen", pan, ms, "-o", out, *FAST)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("error[E3")
    assert words in line
    assert " — " in line
    assert not out.exists()
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "magic"), "magic"),
        (("--sensor", "magic"), "magic"),
        (("--mtf", "x"), "--mtf"),
        (("--mtf", "1.5"), "1.5"),
        (("--bands", "one"), "--bands"),
        (("--fail-over", "ergas"), "metric=value"),
        (("--ram", "lots"), "--ram"),
        (("--device", "tpu"), "cuda"),
        (("--report", "r.xml"), ".xml"),
        (("--overwrite", "--skip-existing"), "exclude"),
        (("--metod", "gsa"), "--metod"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(resattn, tmp_path, arguments, words):
    scene = make_scene(tmp_path, side=64)
    out = tmp_path / "out.tif"
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", out, *arguments)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert not out.exists()


def test_max_pixels_holds_pan_and_ms_alike(resattn, tmp_path):
    scene = make_scene(tmp_path, side=64)
    out = tmp_path / "sharp.tif"
    line = ("pansharpen", scene.pan, scene.ms, "-o", out, *FAST)
    done = resattn(*line, "--max-pixels", 64 * 64 - 1)
    assert done.code == 1
    assert "[E305]" in done.err
    assert "64×64 = 4096 pixels, the limit is 4095" in done.err
    assert not out.exists()
    swapped = resattn("pansharpen", scene.ms, scene.pan, "-o", out, "--max-pixels", 64 * 64 - 1)
    assert "[E305]" in swapped.err
    assert resattn(*line, "--preview", "--max-pixels", 64 * 64).code == 0
    free = tmp_path / "free.tif"
    assert resattn("pansharpen", scene.pan, scene.ms, "-o", free, *FAST).code == 0
    assert free.read_bytes() == out.read_bytes()


def test_a_missing_band_names_both_numbers(resattn, tmp_path):
    scene = make_scene(tmp_path, side=64)
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", tmp_path / "o.tif", "--bands", "7")
    assert done.code == 1
    assert "band 7" in done.err
    assert "MS has 4" in done.err


def test_reports_gates_and_reference(resattn, tmp_path):
    scene = make_scene(tmp_path)
    reference = write(tmp_path / "ref" / "pan.truth.tif", scene.truth, 1.0)
    done = resattn(
        "pansharpen", scene.pan, scene.ms, "-o", tmp_path / "o.tif", "--method", "gsa",
        "--reference", reference.parent, "--baselines", "exp", "--format", "json",
        "--report", tmp_path / "r.json", "--report", tmp_path / "r.csv",
        "--fail-over", "ergas=0.001", "--fail-under", "r_q2n=0.1",
    )  # fmt: skip
    assert done.code == 3
    assert "gate not met: pan: ergas" in done.err
    assert "r_q2n" not in done.err
    printed, kept = json.loads(done.out), json.loads((tmp_path / "r.json").read_text())
    metrics = kept["items"][0]["metrics"]
    assert printed["items"][0]["metrics"] == metrics
    assert {"ergas", "sam", "q2n", "r_ergas", "r_q2n", "d_rho", "hqnr"} <= set(metrics)
    assert kept["items"][0]["baselines"]["exp"]["d_rho"] > metrics["d_rho"]
    with (tmp_path / "r.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["ergas"]) == pytest.approx(metrics["ergas"])


def test_wald_scores_against_the_given_ms(resattn, tmp_path):
    scene = make_scene(tmp_path, side=256)
    command = ("pansharpen", scene.pan, scene.ms, "-o", tmp_path / "o.tif", "--format", "json")
    done = resattn(*command, "--method", "gsa", "--wald", "--baselines", "exp")
    assert done.code == 0
    (item,) = json.loads(done.out)["items"]
    assert 0 < item["metrics"]["wald_ergas"] < item["baselines"]["exp"]["wald_ergas"]


def test_a_config_file_gives_defaults_that_flags_override(resattn, tmp_path, monkeypatch):
    scene = make_scene(tmp_path, side=64)
    base = ("pansharpen", scene.pan, scene.ms, "-o", tmp_path / "o.tif")
    printed = resattn(*base, "--method", "gsa", "--print-config")
    assert tomllib.loads(printed.out)["pansharpen"]["method"] == "gsa"
    config = tmp_path / "run.toml"
    config.write_text(printed.out)

    def resolved(*extra) -> str:
        shown = resattn(*base, "--config", config, *extra, "--print-config")
        return tomllib.loads(shown.out)["pansharpen"]["method"]

    assert resolved() == "gsa"
    monkeypatch.setenv("RESATTN_METHOD", "bdsd")
    assert resolved() == "bdsd"
    assert resolved("--method", "exp") == "exp"
    config.write_text("metod = 'gsa'")
    refused = resattn(*base, "--config", config)
    assert refused.code == 2
    assert "did you mean method" in refused.err


def test_python_and_shell_write_the_same_bytes(resattn, tmp_path):
    scene = make_scene(tmp_path, side=64)
    shell, python = tmp_path / "shell.tif", tmp_path / "python.tif"
    assert resattn("pansharpen", scene.pan, scene.ms, "-o", shell, *FAST).code == 0
    result = pansharpen(scene.pan, scene.ms, python, method="mtf-glp-hpm", metrics=False)
    assert result.status == "ok"
    assert shell.read_bytes() == python.read_bytes()


def test_cog_and_preview(resattn, tmp_path):
    scene = make_scene(tmp_path, side=256)
    out = tmp_path / "o.tif"
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", out, *FAST, "--cog", "--preview")
    assert done.code == 0
    with rasterio.open(out) as image:
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(tmp_path / "o.preview.png") as picture:
        assert picture.shape == (256, 2 * 256 + 8)


def test_paths_on_stdin_and_odd_names(resattn, tmp_path, monkeypatch):
    scene = make_scene(tmp_path / "with space", side=64)
    monkeypatch.setattr("sys.stdin", [f"{scene.pan}\t{scene.ms}\n"])
    done = resattn("pansharpen", "-", "-o", tmp_path / "é😀.tif", *FAST)
    assert done.code == 0
    assert (tmp_path / "é😀.tif").exists()


def test_sigterm_leaves_nothing_half_written(tmp_path):
    scene = make_scene(tmp_path, side=1536, bands=4)
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "resattn",
        "pansharpen",
        scene.pan,
        scene.ms,
        "-o",
        out / "o.tif",
    ]
    process = subprocess.Popen([*command, *FAST], stderr=subprocess.PIPE, text=True)
    try:
        # Work has begun when its temporary appears.
        deadline = time.monotonic() + 60
        while not (out.is_dir() and any(out.iterdir())) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    if process.returncode == 0:
        pytest.skip("the scene was finished before the signal arrived")
    assert process.returncode == 143, err
    assert "continue with" in err
    assert list(out.iterdir()) == []
