"""`resattn segment-wound` as a user meets it: photographs in, masks, pictures and measures out.

The network is one known by heart (wounds are what is red), so that every number can be foretold;
the last test goes the whole way from `resattn train` to a mask.
"""

from __future__ import annotations

import csv
import json
import struct

import numpy as np
import pytest

from resattn.io.image import encode_image, read_image
from resattn.io.marker import marker_cells
from resattn.io.metadata import Metadata
from resattn.models.wound_unet import Decision, WoundUNet, WoundUNetConfig
from resattn.pipelines import segment_wound as pipeline
from resattn.pipelines import segment_wound_photo
from resattn.weights.load import Loaded

TINY = {
    "encoder": "residual", "widths": (4, 4, 8, 8, 8), "decoder": (8, 8, 4, 4),
    "block": None, "skip": None,
}  # fmt: skip


class Redness(WoundUNet):
    """A wound is what is redder than green."""

    def forward(self, photo):
        return 40 * (photo[:, :1] - photo[:, 1:2] - 0.25)


@pytest.fixture
def verb(resattn):
    return lambda *arguments: resattn("segment-wound", *arguments)


@pytest.fixture
def loads():
    return []


@pytest.fixture
def segment(verb, monkeypatch, loads):
    """`segment(input, "-o", out, …)` runs the verb with the red network."""

    def load(name, task):
        loads.append(name)
        model = Redness(WoundUNetConfig(**TINY, decision=Decision(offset=1.0)))
        return Loaded(model, task, "red", "0" * 64, "CC-BY-NC-4.0", commercial=False)

    monkeypatch.setattr(segment_wound_photo, "load", load)
    installed = {segment_wound_photo.DEFAULT_WEIGHTS: None}
    monkeypatch.setattr(segment_wound_photo, "listed", lambda: installed)
    return verb


def photograph(height=120, width=160, top=40, left=50, size=40):
    """Skin with a red square, (3, H, W), and its mask."""
    rng = np.random.default_rng(0)
    photo = np.array([190, 160, 140])[:, None, None] + rng.integers(-8, 9, (3, height, width))
    mask = np.zeros((height, width), bool)
    mask[top : top + size, left : left + size] = True
    photo[:, mask] = np.array([170, 40, 40])[:, None]
    return photo.astype(np.uint8), mask


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    format = {"jpg": "jpeg"}.get(path.suffix[1:], path.suffix[1:])
    path.write_bytes(encode_image(pixels, format=format, **options))
    return path


def read_mask(path):
    return read_image(path).pixels[0] > 0


def exif(orientation, date=b""):
    """A TIFF structure with an orientation and a date."""
    stamp = date + b"\0"
    head = b"II*\0" + struct.pack("<IH", 8, 2)
    turned = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    taken = struct.pack("<HHII", 0x0132, 2, len(stamp), 38)
    return head + turned + taken + struct.pack("<I", 0) + stamp


def test_a_photograph_gives_mask_overlay_and_measures(segment, tmp_path):
    photo, mask = photograph()
    source = save(tmp_path / "foot.png", photo)
    done = segment(source, "-o", tmp_path / "out", "--probability")
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == [
        "foot.wound.json", "foot.wound.overlay.png", "foot.wound.png", "foot.wound.probability.png",
    ]  # fmt: skip
    found = read_mask(out / "foot.wound.png")
    assert (found != mask).mean() < 0.01
    probability = read_image(out / "foot.wound.probability.png").pixels[0]
    assert probability[60, 70] > 240
    assert probability[5, 5] < 10
    picture = read_image(out / "foot.wound.overlay.png").pixels
    assert picture.shape == photo.shape
    assert (picture[:, 60, 70] == photo[:, 60, 70]).all(), "inside, the wound stays visible"
    assert (picture[:, 36:44, 70] != photo[:, 36:44, 70]).any(), "the outline is drawn"
    document = json.loads((out / "foot.wound.json").read_text())
    assert document["count"] == 1
    assert document["area_px"] == pytest.approx(1600, rel=0.03)
    low, high = document["area_px_90"]
    assert low <= document["area_px"] <= high
    assert document["area_cm2"] is None
    assert document["wounds"][0]["px"]["length"] == pytest.approx(40, rel=0.05)
    assert "Not a medical device" in document["notice"]
    assert "not for commercial use" in done.err


def test_exif_orientation_is_applied_once(segment, tmp_path):
    photo, mask = photograph()
    stored = np.ascontiguousarray(np.rot90(photo, 1, (1, 2)))  # orientation 6 turns it clockwise
    source = save(tmp_path / "a.jpg", stored, metadata=Metadata(exif=exif(6)))
    done = segment(source, "-o", tmp_path / "m.png")
    assert done.code == 0, done.err
    assert (read_mask(tmp_path / "m.png") != mask).mean() < 0.02


def test_the_network_is_loaded_once_for_a_folder_and_bad_files_stop_nothing(
    segment, loads, tmp_path
):
    for name in ("a", "b", "deep/c"):
        save(tmp_path / "in" / f"{name}.png", photograph()[0])
    (tmp_path / "in" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    done = segment(tmp_path / "in", "-o", tmp_path / "out", "--no-overlay")
    assert done.code == 1
    assert len(loads) == 1
    assert "error[E301] bad" in done.err
    names = sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.wound.png")
    )
    assert names == ["a.wound.png", "b.wound.png", "deep/c.wound.png"]


def test_a_known_scale_gives_square_centimetres(segment, tmp_path):
    source = save(tmp_path / "a.png", photograph()[0])
    done = segment(source, "-o", tmp_path / "out", "--px-per-mm", "4", "--format", "json")
    (item,) = json.loads(done.out)["items"]
    assert item["metrics"]["area_cm2"] == pytest.approx(1.0, rel=0.03)
    assert item["metrics"]["length_mm"] == pytest.approx(10, rel=0.05)
    assert item["metrics"]["area_cm2_low"] <= 1.0 <= item["metrics"]["area_cm2_high"]


def test_a_marker_gives_square_centimetres_and_is_no_wound(segment, tmp_path):
    photo, _ = photograph(240, 320, 60, 200, 80)
    cells = np.kron(np.pad(marker_cells(3), 1, constant_values=True), np.ones((12, 12)))
    place = slice(60, 60 + len(cells))
    photo[:, place, place] = (cells * 255).astype(np.uint8)
    photo[1:, place, place] //= 2  # a marker printed in red would pass for a wound
    source = save(tmp_path / "a.png", photo)
    done = segment(source, "-o", tmp_path / "out", "--marker-mm", "20")
    assert done.code == 0, done.err
    document = json.loads((tmp_path / "out" / "a.wound.json").read_text())
    assert document["scale"] == "marker 3, 20 mm"
    assert document["count"] == 1
    side_mm = 80 * 20 / 72
    assert document["area_cm2"] == pytest.approx(side_mm**2 / 100, rel=0.03)


def test_a_missing_marker_is_a_warning_not_a_guess(segment, tmp_path):
    source = save(tmp_path / "a.png", photograph()[0])
    done = segment(source, "-o", tmp_path / "out", "--marker-mm", "20")
    assert done.code == 0
    assert "no marker was found: areas are in pixels only" in done.err
    assert json.loads((tmp_path / "out" / "a.wound.json").read_text())["area_cm2"] is None


def test_a_coin_gives_square_centimetres_and_two_give_none(segment, tmp_path):
    photo, _ = photograph(240, 320, 60, 200, 80)
    rows, columns = np.mgrid[:240, :320] + 0.5
    for number, place in enumerate([(80, 90), (180, 90)], start=1):
        photo[:, np.hypot(rows - place[0], columns - place[1]) < 36] = 210
        source = save(tmp_path / f"{number}.png", photo)
        done = segment(source, "-o", tmp_path / "out", "--coin-mm", "20")
        assert done.code == 0, done.err
        document = json.loads((tmp_path / "out" / f"{number}.wound.json").read_text())
        if number == 1:
            assert document["scale"] == "coin, 20 mm"
            assert document["area_cm2"] == pytest.approx((80 * 20 / 72) ** 2 / 100, rel=0.04)
        else:
            assert document["area_cm2"] is None
            assert "2 coins were found where one is needed: areas are in pixels only" in done.err


def test_no_wound_is_an_answer(segment, tmp_path):
    source = save(tmp_path / "a.png", photograph(size=0)[0])
    done = segment(source, "-o", tmp_path / "out")
    assert done.code == 0
    assert "no wound found" in done.out
    assert not read_mask(tmp_path / "out" / "a.wound.png").any()
    assert "no_wound" in json.loads((tmp_path / "out" / "a.wound.json").read_text())["flags"]


def test_a_true_mask_is_scored_and_gated(segment, tmp_path):
    photo, mask = photograph()
    save(tmp_path / "in" / "a.png", photo)
    save(tmp_path / "true" / "a.png", (mask[None] * 255).astype(np.uint8))
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--ref", tmp_path / "true")
    report = tmp_path / "r.csv"
    done = segment(*arguments, "--report", report, "--fail-under", "dice=0.95")
    assert done.code == 0, done.err
    with report.open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["dice"]) > 0.97
    assert float(row["nsd"]) > 0.97
    assert float(row["wounds"]) == 1
    done = segment(*arguments, "--overwrite", "--fail-over", "area_px=100")
    assert done.code == 3


def test_a_true_mask_of_another_size_is_refused(segment, tmp_path):
    photo, mask = photograph()
    source = save(tmp_path / "a.png", photo)
    true = save(tmp_path / "true.png", (mask[None, :50] * 255).astype(np.uint8))
    done = segment(source, "-o", tmp_path / "m.png", "--ref", true)
    assert done.code == 1
    assert "160×50 pixels, the photograph 160×120" in done.err


def test_threshold_and_effort_reach_the_result(segment, tmp_path):
    source = save(tmp_path / "a.png", photograph()[0])
    areas = []
    for threshold in ("0.01", "0.5", "0.99"):
        out = tmp_path / f"m{threshold}.png"
        assert segment(source, "-o", out, "--threshold", threshold, "--fast", "--tta").code == 0
        areas.append(read_mask(out).sum())
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > areas[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--marker-mm", "20", "--px-per-mm", "3"), "E208", "exclude each other"),
        (("--coin-mm", "23", "--px-per-mm", "3"), "E208", "--coin-mm and --px-per-mm exclude"),
        (("--threshold", "1.5"), "E208", "--threshold 1.5"),
        (("--px-per-mm", "-1"), "E208", "--px-per-mm -1"),
    ],
)
def test_wrong_options_are_refused_before_any_work(segment, tmp_path, arguments, code, words):
    source = save(tmp_path / "a.png", photograph()[0])
    done = segment(source, "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert f"error[{code}]" in done.err
    assert words in done.err
    assert not (tmp_path / "out").exists()


def test_a_mask_is_a_png(segment, tmp_path):
    done = segment(save(tmp_path / "a.png", photograph()[0]), "-o", tmp_path / "m.jpg")
    assert done.code == 2
    assert "end the name in .png" in done.err


def test_nothing_is_overwritten_unasked(segment, tmp_path):
    source = save(tmp_path / "a.png", photograph()[0])
    assert segment(source, "-o", tmp_path / "m.png").code == 0
    done = segment(source, "-o", tmp_path / "m.png")
    assert done.code == 2
    assert "E404" in done.err
    assert segment(source, "-o", tmp_path / "m.png", "--overwrite").code == 0


def test_a_series_is_ordered_by_date_and_shows_the_change(segment, tmp_path):
    folder = tmp_path / "patient 1"
    for name, date, size in (
        ("x", b"2024:03:15 10:00:00", 20),
        ("y", b"2024:03:01 10:00:00", 40),
        ("z", b"2024:03:08 10:00:00", 30),
    ):
        photo = photograph(size=size)[0]
        save(folder / f"{name}.jpg", photo, metadata=Metadata(exif=exif(1, date)))
    done = segment(folder, "-o", tmp_path / "out", "--follow-up", "--px-per-mm", "4")
    assert done.code == 0, done.err
    with (tmp_path / "out" / "patient 1.series.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["photograph"] for row in rows] == ["y.jpg", "z.jpg", "x.jpg"]
    assert [float(row["days"]) for row in rows] == [0, 7, 14]
    assert float(rows[2]["change_since_first_percent"]) == pytest.approx(-75, abs=3)
    assert float(rows[2]["change_since_last_percent"]) == pytest.approx(-55.6, abs=4)
    assert rows[0]["unit"] == "cm²"
    assert rows[0]["change_since_first_percent"] == "0.00"
    assert rows[0]["change_since_last_percent"] == ""
    plot = (tmp_path / "out" / "patient 1.series.svg").read_text()
    assert plot.count("<circle") == 3
    assert "14 days" in plot
    masks = sorted(p.name for p in (tmp_path / "out" / "patient 1").glob("*.wound.png"))
    assert masks == ["x.wound.png", "y.wound.png", "z.wound.png"]


def test_a_bad_photograph_fails_its_series_after_the_others_are_done(segment, tmp_path):
    folder = tmp_path / "p"
    save(folder / "a.png", photograph()[0])
    (folder / "b.png").write_bytes(b"")
    done = segment(folder, "-o", tmp_path / "out", "--follow-up")
    assert done.code == 1
    assert "error[E304] b.png" in done.err
    with (tmp_path / "out" / "p.series.csv").open() as file:
        assert [row["photograph"] for row in csv.DictReader(file)] == ["a.png"]


def test_dry_run_names_what_would_be_written(segment, tmp_path):
    source = save(tmp_path / "in" / "a.png", photograph()[0])
    done = segment(tmp_path / "in", "-o", tmp_path / "out", "--dry-run")
    assert done.code == 0
    assert f"read\t{source}" in done.out
    assert f"write\t{tmp_path / 'out' / 'a.wound.png'}" in done.out
    assert not (tmp_path / "out").exists()


def test_without_weights_the_remedy_is_named(verb, tmp_path, monkeypatch):
    monkeypatch.setattr(segment_wound_photo, "listed", dict)
    done = verb(save(tmp_path / "a.png", photograph()[0]), "-o", tmp_path / "out")
    assert done.code == 1
    assert "error[E600] no weights for segment-wound are installed" in done.err
    assert "resattn train segment-wound" in done.err
    assert "--weights" in done.err


def test_help_says_what_it_is_not(verb):
    done = verb("--help")
    assert done.code == 0
    assert "Not a medical device" in done.out


def test_the_python_function_takes_the_same_options(segment, tmp_path):
    source = save(tmp_path / "a.png", photograph()[0])
    result = pipeline.segment_wound(source, tmp_path / "m.png", px_per_mm=4.0, overlay=False)
    assert result.metrics["area_cm2"] == pytest.approx(1.0, rel=0.03)
    assert [path.name for path in result.outputs] == ["m.png", "m.json"]


def test_from_training_to_a_mask(resattn, verb, tmp_path):
    for index in range(4):
        photo, mask = photograph(64, 64, 10 * index, 10, 20)
        noise = np.random.default_rng(index).integers(0, 90, (3, 8, 8)).repeat(8, 1).repeat(8, 2)
        photo = (photo // 2 + noise).astype(np.uint8)
        save(tmp_path / "data" / "images" / f"{index}.png", photo)
        save(
            tmp_path / "data" / "masks" / f"{index}.png",
            (np.roll(mask, 16 * index, 0)[None] * 255).astype("u1"),
        )
    tiny = [f"model.{key}={json.dumps(value)}" for key, value in TINY.items()]
    settings = [part for text in [*tiny, "patch=32"] for part in ("--set", text)]
    done = resattn(
        "train", "segment-wound", "--data", tmp_path / "data", "--run", tmp_path / "run",
        "--steps", "2", "--batch", "2", "--side", "64", "--folds", "2", *settings, "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    weights = tmp_path / "run" / "mine.safetensors"
    source = save(tmp_path / "a.png", photograph()[0])
    done = verb(source, "-o", tmp_path / "m.png", "--weights", weights)
    assert done.code == 0, done.err
    assert read_mask(tmp_path / "m.png").shape == (120, 160)
