"""`resattn replay`: the same bytes from the record alone, or what differs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from resattn.io.image import encode_image
from tests.scenes import make_scene


@pytest.fixture
def sharpened(resattn, tmp_path, monkeypatch):
    """A finished run of two scenes whose options came from the environment, and its report."""
    for index, name in enumerate("ab"):
        make_scene(tmp_path / "in" / name, side=64, seed=index)
    monkeypatch.setenv("RESATTN_METHOD", "gsa")
    report = tmp_path / "run.json"
    done = resattn(
        "pansharpen", tmp_path / "in", "-o", tmp_path / "out", "--no-metrics", "--preview",
        "--report", report,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    monkeypatch.delenv("RESATTN_METHOD")
    return tmp_path, report


def test_the_record_alone_gives_the_same_bytes(sharpened, resattn):
    _, report = sharpened
    done = resattn("replay", report)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "2 of 2 items came out the same"


def test_outputs_can_be_kept_and_may_be_gone_before(sharpened, resattn):
    folder, report = sharpened
    outputs = sorted((folder / "out").rglob("*.tif"))
    before = [path.read_bytes() for path in outputs]
    for path in outputs:
        path.unlink()
    done = resattn("replay", report, "--out", folder / "again")
    assert done.code == 0
    assert [path.read_bytes() for path in sorted((folder / "again").rglob("*.tif"))] == before
    assert resattn("replay", report, "--out", folder / "again").code == 2


def test_a_changed_input_is_named_and_how_far_the_pixels_are_off(sharpened, resattn):
    folder, report = sharpened
    with rasterio.open(folder / "in" / "a" / "pan.tif", "r+") as file:
        pixels = file.read()
        pixels[:, 10, 10] += 50
        file.write(pixels)
    done = resattn("replay", report, "--json")
    assert done.code == 3
    first, second = json.loads(done.out)
    assert first["verdict"] == "differs"
    assert first["said"][0] == "input pan.tif has changed"
    assert "of the values differ, by at most" in first["said"][1]
    assert second["verdict"] == "equal"


def test_an_input_that_is_gone_fails_its_item_only(sharpened, resattn):
    folder, report = sharpened
    (folder / "in" / "b" / "ms.tif").unlink()
    done = resattn("replay", report)
    assert done.code == 1
    assert "a/pan" in done.out or "a: equal" in done.out
    assert "input ms.tif is gone" in done.out
    assert "1 of 2 items" in done.out


def test_other_versions_are_named(sharpened, resattn):
    _, report = sharpened
    document = json.loads(report.read_text())
    document["environment"]["numpy"] = "0.9"
    report.write_text(json.dumps(document))
    done = resattn("replay", report)
    assert done.code == 0
    assert "note: numpy was 0.9, is " in done.err


def test_the_command_as_it_was_typed(sharpened, resattn):
    _, report = sharpened
    document = json.loads(report.read_text())
    done = resattn("replay", report, "--show")
    assert done.out.split()[:1] == ["resattn"]
    assert len(document["argv"]) == len(done.out.split()) - 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 99}, "schema 99"),
        ({"command": "bake"}, "cannot be repeated"),
        ({"config": {"magic": 1}}, "no option magic"),
        ({"items": []}, "no item"),
        ({"items": [{"name": 1}]}, "is no report"),
    ],
)
def test_what_cannot_be_repeated_is_refused(sharpened, resattn, change, words):
    _, report = sharpened
    report.write_text(json.dumps(json.loads(report.read_text()) | change))
    done = resattn("replay", report)
    assert done.code == 2
    assert "error[E215]" in done.err
    assert words in done.err


def test_no_report_at_all(resattn, tmp_path):
    assert "E202" in resattn("replay", tmp_path / "none.json").err
    (tmp_path / "x.json").write_text("not json")
    assert "E215" in resattn("replay", tmp_path / "x.json").err


def test_scores_are_compared_where_nothing_was_written(resattn, tmp_path):
    truth = np.random.default_rng(0).integers(0, 256, (3, 20, 20), np.uint8)
    (tmp_path / "a.png").write_bytes(encode_image(truth))
    (tmp_path / "ref.png").write_bytes(encode_image(truth // 2))
    report = tmp_path / "r.json"
    resattn(
        "metrics", tmp_path / "a.png", "--ref", tmp_path / "ref.png", "--metric", "psnr,rmse",
        "--report", report,
    )  # fmt: skip
    assert resattn("replay", report).code == 0
    document = json.loads(report.read_text())
    document["items"][0]["metrics"]["rmse"] += 1
    report.write_text(json.dumps(document))
    done = resattn("replay", report)
    assert done.code == 3
    assert "rmse was" in done.out
