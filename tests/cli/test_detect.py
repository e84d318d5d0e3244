"""`resattn detect` as a user meets it: pictures in; boxes, places and scores out.

The network is one known by heart (what is bright red is a cat, bright green a dog), so that every
number can be foretold.
"""

from __future__ import annotations

import csv
import json
import sqlite3

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from resattn.detection.writers import FORMS
from resattn.io.image import encode_image, read_image
from resattn.models.detector import Detector, DetectorConfig
from resattn.pipelines import detect as pipeline
from resattn.pipelines import detect_picture
from resattn.weights.load import Loaded
from tests.unit.detection.blobs import Blobs, scene

BOXES = [(10, 12, 30, 34), (60, 20, 84, 40), (40, 60, 70, 90)]
LABELS = [0, 1, 0]


class Bright(Detector):
    """Sees what `Blobs` sees."""

    def __init__(self, **settings):
        super().__init__(
            DetectorConfig(classes=2, names=("cat", "dog"), width=8, depth=1, bvr=None, **settings)
        )

    def detect(self, images, *, score=0.05, iou=0.6, limit=100):
        return Blobs().detect(images, score=score, iou=iou, limit=limit)


@pytest.fixture
def settings():
    return {}


@pytest.fixture
def detect(resattn, monkeypatch, settings):
    """`detect(input, "-o", out, …)` runs the verb with the network known by heart."""

    def load(name, task):
        return Loaded(Bright(**settings), task, "bright", "0" * 64, "MIT", commercial=True)

    monkeypatch.setattr(detect_picture, "load", load)
    return lambda *arguments: resattn("detect", *arguments, "--weights", "bright")


def photo(path, boxes=BOXES, labels=LABELS, height=100, width=120):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(scene(height, width, boxes, labels), format="png"))
    return path


def raster(path, boxes=BOXES, labels=LABELS, dtype="uint16", georeferenced=True, **more):
    """Four bands; green, red, blue and one that holds nothing, in the file's own values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = scene(100, 120, boxes, labels)[[1, 0, 2]].astype(dtype)
    pixels = np.concatenate([pixels, np.zeros_like(pixels[:1])]) * (40 if dtype == "uint16" else 1)
    where = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_000_000, 10, 10)}
    shape = {"height": 100, "width": 120, "count": 4, "dtype": dtype}
    with rasterio.open(
        path, "w", "GTiff", **shape, **(where if georeferenced else {}), **more
    ) as file:
        file.write(pixels)
    return path


def coco(path, **pictures):
    """A COCO file of pictures by stem: their boxes and labels."""
    images, annotations = [], []
    for name, (boxes, labels) in pictures.items():
        images.append({"id": name, "file_name": f"{name}.png", "height": 100, "width": 120})
        for (left, top, right, bottom), label in zip(boxes, labels, strict=True):
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {"id": len(annotations), "image_id": name, "category_id": label, "bbox": box}
            )
    categories = [{"id": 0, "name": "Cat"}, {"id": 1, "name": "dog"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(document))
    return path


def found(path):
    document = json.loads(path.read_text())
    names = {one["id"]: one["name"] for one in document["categories"]}
    return {
        (names[one["category_id"]], *map(round, one["bbox"])) for one in document["annotations"]
    }


EXPECTED = {
    (("cat", "dog")[label], left, top, right - left, bottom - top)
    for (left, top, right, bottom), label in zip(BOXES, LABELS, strict=True)
}


def test_a_photograph_gives_a_coco_file(detect, tmp_path):
    done = detect(photo(tmp_path / "a.png"), "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.detect.json"]
    assert found(tmp_path / "out" / "a.detect.json") == EXPECTED
    assert "2 cat, 1 dog" in done.out


def test_the_suffix_of_out_chooses_the_form(detect, tmp_path):
    source = raster(tmp_path / "a.tif")
    for name, form in FORMS.items():
        done = detect(source, "-o", tmp_path / f"{name}{form.suffix}", "--bands", "2,1,3")
        assert done.code == 0, done.err
        assert (tmp_path / f"{name}{form.suffix}").stat().st_size
    done = detect(source, "-o", tmp_path / "x.shp")
    assert done.code == 2
    assert "end the name in .json, .geojson" in done.err


def test_every_form_at_once_with_an_overlay(detect, tmp_path):
    source = raster(tmp_path / "in" / "a.tif")
    done = detect(
        source, "-o", tmp_path / "out", "--bands", "2,1,3", "--overlay",
        "--write", "geojson,gpkg,csv,yolo,voc",
    )  # fmt: skip
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == [
        "a.detect.csv", "a.detect.geojson", "a.detect.gpkg", "a.detect.json",
        "a.detect.overlay.jpg", "a.detect.txt", "a.detect.xml", "classes.txt",
    ]  # fmt: skip
    assert found(out / "a.detect.json") == EXPECTED
    with (out / "a.detect.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} == {"cat", "dog"}
    assert float(rows[0]["width_m"]) == pytest.approx(300, rel=1e-3)
    with sqlite3.connect(out / "a.detect.gpkg") as database:
        assert database.execute("SELECT count(*), max(width_m) FROM detections").fetchone() == (
            3, pytest.approx(300, rel=1e-3),
        )  # fmt: skip
    features = json.loads((out / "a.detect.geojson").read_text())["features"]
    assert len(features) == 3
    picture = read_image(out / "a.detect.overlay.jpg").pixels
    assert picture.shape == (3, 100, 120)
    assert picture[:, 75, 39:42].max() > 150, "the frame is drawn"


def test_sixteen_bits_are_measured_and_bands_chosen(detect, tmp_path):
    source = raster(tmp_path / "a.tif")
    assert detect(source, "-o", tmp_path / "b.json").code == 0
    swapped = {("dog" if name == "cat" else "cat", *box) for name, *box in EXPECTED}
    assert found(tmp_path / "b.json") == swapped, "bands as they are: green comes first"
    assert detect(source, "-o", tmp_path / "c.json", "--bands", "2,1,3").code == 0
    assert found(tmp_path / "c.json") == EXPECTED
    dark = detect(source, "-o", tmp_path / "d.json", "--scale", "0,65535")
    assert dark.code == 0
    assert not found(tmp_path / "d.json"), "with such a scale all is dark"
    done = detect(source, "-o", tmp_path / "e.json", "--bands", "5,1,2")
    assert done.code == 1
    assert "a.tif has 4 bands, not 5" in done.err


def test_windows_of_a_raster_do_not_show(detect, tmp_path):
    source = raster(tmp_path / "a.tif")
    arguments = ("--bands", "2,1,3", "--tile", "64", "--overlap", "32")
    done = detect(source, "-o", tmp_path / "b.json", *arguments, "--report", tmp_path / "r.json")
    assert done.code == 0, done.err
    assert found(tmp_path / "b.json") == EXPECTED
    (item,) = json.loads((tmp_path / "r.json").read_text())["items"]
    assert item["facts"]["windows"] == 9
    assert item["facts"]["bands"] == [2, 1, 3]
    assert item["metrics"] == {"objects": 3}


def shares(done, report):
    """Side of the windows and what they share, as the report of a run has it."""
    assert done.code == 0, done.err
    (item,) = json.loads(report.read_text())["items"]
    return item["facts"]["tile"], item["facts"]["overlap"]


@pytest.mark.parametrize("settings", [{"largest": 352}])
def test_windows_share_the_size_of_the_largest_objects(detect, tmp_path):
    source, report = raster(tmp_path / "a.tif"), tmp_path / "r.json"
    for number, (options, told) in enumerate(
        [
            ((), (704, 352)),
            (("--tile", "1024"), (1024, 352)),
            (("--tile", "64"), (64, 32)),
            (("--overlap", "100"), (512, 100)),
            (("--overlap", "300"), (600, 300)),
        ]
    ):
        out = tmp_path / f"{number}.json"
        done = detect(source, "-o", out, *options, "--report", report, "--overwrite")
        assert shares(done, report) == told
        assert ("learnt objects of 352" in done.err) == (told[1] < 352)


def test_windows_share_a_quarter_where_the_weights_do_not_say(detect, tmp_path):
    report = tmp_path / "r.json"
    done = detect(raster(tmp_path / "a.tif"), "-o", tmp_path / "a.json", "--report", report)
    assert shares(done, report) == (512, 128)


@pytest.mark.parametrize("settings", [{"side": 60, "zoom": 2}])
def test_pictures_are_seen_as_the_weights_want_it(detect, tmp_path, settings):
    assert detect(photo(tmp_path / "a.png"), "-o", tmp_path / "a.json").code == 0
    boxes = {box for _, *rest in found(tmp_path / "a.json") for box in [tuple(rest)]}
    for (left, top, width, height), expected in zip(
        sorted(boxes), sorted(box for _, *box in EXPECTED), strict=True
    ):
        np.testing.assert_allclose((left, top, width, height), expected, atol=3)
    source = raster(tmp_path / "b.tif", georeferenced=False)
    assert detect(source, "-o", tmp_path / "b.json", "--bands", "2,1,3").code == 0
    assert found(tmp_path / "b.json") == EXPECTED


@pytest.mark.parametrize("settings", [{"bands": (2, 1, 3), "scale": (0.0, 10_200.0)}])
def test_rasters_show_the_bands_and_values_the_weights_were_trained_on(detect, tmp_path):
    source, report = raster(tmp_path / "a.tif"), tmp_path / "r.json"
    assert detect(source, "-o", tmp_path / "a.json", "--report", report).code == 0
    assert found(tmp_path / "a.json") == EXPECTED
    (item,) = json.loads(report.read_text())["items"]
    assert item["facts"]["bands"] == [2, 1, 3]
    assert item["facts"]["stretch"] == [[0] * 3, [10_200] * 3]
    chosen = ("--bands", "1,2,3", "--scale", "0,65535")
    assert detect(source, "-o", tmp_path / "b.json", *chosen).code == 0
    assert not found(tmp_path / "b.json"), "what is asked for stands before it"
    assert detect(photo(tmp_path / "c.png"), "-o", tmp_path / "c.json").code == 0
    assert found(tmp_path / "c.json") == EXPECTED, "photographs are red, green and blue"


@pytest.mark.parametrize("settings", [{"bands": (5, 1, 2)}])
def test_a_raster_without_a_band_of_the_weights_fails_with_its_number(detect, tmp_path):
    done = detect(raster(tmp_path / "a.tif"), "-o", tmp_path / "a.json")
    assert done.code == 1
    assert "a.tif has 4 bands, not 5" in done.err
    assert "--bands" in done.err


@pytest.mark.parametrize("settings", [{"score": 0.55}])
def test_objects_count_from_the_score_of_the_weights(detect, tmp_path, settings):
    """`Blobs` gives the three .49, .50 and .58."""
    source = photo(tmp_path / "a.png")
    truth = coco(tmp_path / "t.json", a=(BOXES, LABELS))
    rows = {}
    for score in ((), ("--score", "0.49"), ("--score", "0.05")):
        report = tmp_path / "r.json"
        done = detect(
            source, "-o", tmp_path / "a.json", "--write", "csv", "--ref", truth, "--report", report,
            "--overwrite", *score,
        )  # fmt: skip
        assert done.code == 0, done.err
        (item, _) = json.loads(report.read_text())["items"]
        together = json.loads(report.read_text())["summary"]["together"]
        rows[score] = len((tmp_path / "a.csv").read_text().splitlines()) - 1
        assert item["metrics"]["objects"] == rows[score]
        assert together["box_recall"] == pytest.approx(rows[score] / 3)
        assert json.loads((tmp_path / "a.evaluation.json").read_text())["score"] == (
            float(score[1]) if score else 0.55
        )
        assert len(found(tmp_path / "a.json")) == 3, "the COCO file holds all"
    assert list(rows.values()) == [1, 2, 3]


def test_a_run_is_scored_as_one_set(detect, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png", BOXES[:1], LABELS[:1])
    photo(tmp_path / "in" / "unknown.png")
    truth = coco(tmp_path / "t.json", a=(BOXES, LABELS), b=(BOXES[:2], LABELS[:2]))
    report = tmp_path / "r.json"
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--ref", truth, "--report", report)
    done = detect(*arguments, "--fail-under", "ap50=0.75")
    assert done.code == 0, done.err
    document = json.loads(report.read_text())
    assert document["summary"]["items"]["ok"] == 3, "the set is not counted as a picture"
    together = document["summary"]["together"]
    assert together["ap50"] == pytest.approx((1 + 51 / 101) / 2), "half of the dogs, all cats"
    assert together["box_recall"] == pytest.approx(4 / 5)
    assert together["box_precision"] == 1
    by_name = {item["name"]: item for item in document["items"]}
    assert by_name["a"]["metrics"]["box_f1"] == 1
    assert by_name["b"]["metrics"]["box_recall"] == 0.5
    assert "box_f1" not in by_name["unknown"]["metrics"]
    assert "b.png 0.67" in done.out
    evaluation = json.loads((tmp_path / "out" / "detect.evaluation.json").read_text())
    assert evaluation["confusion"]["counts"] == [[3, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert evaluation["pictures"][0]["name"] == "b.png"
    assert [one["name"] for one in evaluation["classes"]] == ["Cat", "dog"]
    assert len(evaluation["classes"][0]["precision"]) == len(evaluation["recalls"]) == 101
    done = detect(*arguments, "--overwrite", "--fail-under", "ap50=0.99")
    assert done.code == 3
    assert "all pictures: ap50" in done.err


def test_workers_and_resume_give_the_same_scores(detect, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png", BOXES[:1], LABELS[:1])
    truth = coco(tmp_path / "t.json", a=(BOXES, LABELS), b=(BOXES[:2], LABELS[:2]))
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--ref", truth, "--resume")
    assert detect(*arguments).code == 0
    first = (tmp_path / "out" / "detect.evaluation.json").read_bytes()
    (tmp_path / "out" / "b.detect.json").unlink()
    done = detect(*arguments)
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "detect.evaluation.json").read_bytes() == first


@pytest.mark.parametrize("form", ["voc", "yolo", "geojson"])
def test_annotations_of_every_form_score_alike(detect, tmp_path, form):
    """What the verb wrote, read back as the truth, is met in full."""
    source = raster(tmp_path / "in" / "a.tif")
    made = detect(source, "-o", tmp_path / "t", "--bands", "2,1,3", "--write", form)
    assert made.code == 0, made.err
    folder = tmp_path / "truth"
    folder.mkdir()
    for path in (tmp_path / "t").iterdir():
        if path.suffix == FORMS[form].suffix:
            text = path.read_text()
            if form == "yolo" and path.name != "classes.txt":  # without the scores
                text = "".join(line.rsplit(" ", 1)[0] + "\n" for line in text.splitlines())
            name = path.name if path.name == "classes.txt" else f"a{path.suffix}"
            (folder / name).write_text(text.replace("a.tif", "other.tif"))
    report = tmp_path / "r.json"
    done = detect(
        source, "-o", tmp_path / "out", "--bands", "2,1,3", "--ref", folder, "--report", report
    )
    assert done.code == 0, done.err
    assert json.loads(report.read_text())["summary"]["together"]["ap"] == 1


def test_wrong_annotations_stop_before_any_work(detect, tmp_path):
    source = photo(tmp_path / "a.png")
    truth = coco(tmp_path / "t.json", a=([(10, 10, 5, 20)], [0]))
    done = detect(source, "-o", tmp_path / "out", "--ref", truth)
    assert done.code == 1
    assert "error[E332] t.json: $.annotations[0].bbox" in done.err
    assert not (tmp_path / "out").exists()
    done = detect(source, "-o", tmp_path / "out", "--ref", coco(truth, b=(BOXES, LABELS)))
    assert done.code == 2
    assert "names none of 1 pictures, the first is a" in done.err


def test_annotations_of_another_size_or_without_a_common_class_fail_the_picture(detect, tmp_path):
    truth = coco(tmp_path / "t.json", a=(BOXES, LABELS))
    source = photo(tmp_path / "a.png", height=101)
    done = detect(source, "-o", tmp_path / "out", "--ref", truth)
    assert done.code == 1
    assert "a.png has 120×100 pixels, the picture 120×101" in done.err
    assert not list((tmp_path / "out").glob("*")), "annotations are read before any work"
    text = truth.read_text().replace("Cat", "cow").replace("dog", "hen")
    truth.write_text(text)
    done = detect(photo(tmp_path / "a.png"), "-o", tmp_path / "two", "--ref", truth)
    assert done.code == 1
    assert "the detector finds cat, dog, the annotations mark cow, hen" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--score", "1.5"), "--score 1.5"),
        (("--iou", "2"), "--iou 2"),
        (("--limit", "0"), "--limit 0"),
        (("--bands", "1,2"), "--bands '1,2'"),
        (("--bands", "0"), "--bands '0'"),
        (("--scale", "5"), "--scale '5'"),
        (("--scale", "5,5"), "--scale '5,5'"),
        (("--write", "shp"), "--write 'shp'"),
        (("--tile", "64", "--overlap", "40"), "--overlap 40"),
    ],
)
def test_wrong_options_are_refused_before_any_work(detect, tmp_path, arguments, words):
    done = detect(photo(tmp_path / "a.png"), "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert "error[E208]" in done.err
    assert words in done.err
    assert not (tmp_path / "out").exists()


def test_a_photograph_cannot_go_on_a_map_and_stops_nothing_else(detect, tmp_path):
    photo(tmp_path / "in" / "a.png")
    raster(tmp_path / "in" / "b.tif")
    done = detect(tmp_path / "in", "-o", tmp_path / "out", "--write", "geojson")
    assert done.code == 1
    assert "error[E311] a: a.png does not say where it lies" in done.err
    assert (tmp_path / "out" / "b.detect.geojson").exists()


def test_nothing_is_overwritten_unasked(detect, tmp_path):
    source = photo(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.detect.csv").write_text("mine")
    done = detect(source, "-o", tmp_path / "out", "--write", "csv")
    assert done.code == 1
    assert "a.detect.csv exists" in done.err
    assert (tmp_path / "out" / "a.detect.csv").read_text() == "mine"
    assert not (tmp_path / "out" / "a.detect.json").exists(), "refused before any work"


def test_without_weights_the_remedy_is_named(resattn, monkeypatch, tmp_path):
    monkeypatch.setattr(detect_picture, "listed", dict)
    done = resattn("detect", photo(tmp_path / "a.png"), "-o", tmp_path / "out")
    assert done.code == 1
    assert "error[E600] 0 detectors are installed" in done.err
    assert "resattn train detect" in done.err


def test_the_python_function_is_the_same_command(detect, tmp_path):
    source = photo(tmp_path / "a.png")
    truth = coco(tmp_path / "t.json", a=(BOXES, LABELS))
    result = pipeline.detect(source, tmp_path / "a.json", weights="bright", reference=truth)
    assert result.status == "ok"
    assert result.metrics["box_f1"] == 1
    assert found(tmp_path / "a.json") == EXPECTED
