"""`resattn metrics` as a user meets it: two folders in, numbers and an exit code out."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from resattn.io.image import encode_image
from resattn.metrics import masks, overlap, surface
from resattn.metrics.evaluate import evaluate_reduced
from resattn.metrics.luma import psnr_y, ssim_y
from resattn.metrics.ms_ssim import ms_ssim
from tests.scenes import truth_image, write

SIDE = 48


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(pixels, format=path.suffix[1:], **options))
    return path


def spoiled(pixels, seed=1):
    away = np.random.default_rng(seed).normal(0, 12, pixels.shape)
    return np.clip(pixels + away, 0, 255).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    """`out/` and `ref/` with three photographs each, named alike but for the ending."""
    for index, name in enumerate("abc"):
        truth = noise(3, SIDE, SIDE + index, seed=index)
        save(tmp_path / "ref" / f"{name}.png", truth)
        save(tmp_path / "out" / f"{name}.enlarged.png", spoiled(truth))
    return tmp_path


@pytest.fixture
def measure(resattn, tmp_path):
    """`measure(outputs, reference, …)` gives the JSON document of a run that went well."""

    def run(outputs, reference, *options):
        done = resattn("metrics", outputs, "--reference", reference, "--format", "json", *options)
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return run


def test_two_folders_give_the_values_of_another_implementation(folders, measure):
    found = measure(folders / "out", folders / "ref", "--metric", "psnr,ssim")
    assert [item["name"] for item in found["items"]] == ["a.enlarged", "b.enlarged", "c.enlarged"]
    for index, item in enumerate(found["items"]):
        truth = noise(3, SIDE, SIDE + index, seed=index)
        estimate = spoiled(truth)
        assert item["metrics"]["psnr"] == pytest.approx(
            peak_signal_noise_ratio(truth, estimate, data_range=255), abs=1e-9
        )
        whole = structural_similarity(truth, estimate, channel_axis=0, data_range=255)
        assert item["metrics"]["ssim"] == pytest.approx(whole, abs=1e-6)
        assert item["reference"].endswith(f"{'abc'[index]}.png")
    assert found["summary"]["metrics"]["psnr"]["count"] == 3


def test_the_text_ends_in_means_with_their_interval(resattn, folders):
    done = resattn(
        "metrics", folders / "out", "--reference", folders / "ref", "--metric", "psnr_y,rmse"
    )
    lines = done.out.splitlines()
    assert lines[0].split() == ["item", "psnr_y", "rmse"]
    assert [line.split("  ")[0] for line in lines[1:]] == [
        *("a.enlarged", "b.enlarged", "c.enlarged"),
        *("mean", "95 % from", "to"),
    ]


@pytest.mark.parametrize("side", ["out", "ref"])
def test_a_missing_partner_stops_the_run_and_never_shifts_the_others(folders, resattn, side):
    extra = save(folders / side / "lonely.png", noise(3, SIDE, SIDE))
    command = ["metrics", folders / "out", "--reference", folders / "ref", "--metric", "psnr"]
    done = resattn(*command)
    assert done.code == 2
    assert "E206" in done.err
    assert str(extra) in done.err
    partial = resattn(*command, "--partial", "--format", "csv")
    assert partial.code == 0
    rows = list(csv.DictReader(partial.out.splitlines()))
    assert [row["item"][0] for row in rows] == ["a", "b", "c"]
    assert all(float(row["psnr"]) > 25 for row in rows)


def test_equal_counts_with_other_names_are_not_paired_by_position(folders, resattn):
    for name, new in zip("abc", "xyz", strict=True):
        (folders / "ref" / f"{name}.png").rename(folders / "ref" / f"{new}.png")
    done = resattn("metrics", folders / "out", "--reference", folders / "ref", "--metric", "psnr")
    assert done.code == 2
    assert "named like" in done.err


def test_pictures_we_put_beside_an_output_are_no_outputs(folders, measure):
    save(folders / "out" / "a.enlarged.preview.png", noise(3, 9, 9))
    (folders / "ref" / "LICENCE.txt").write_text("free")
    assert len(measure(folders / "out", folders / "ref", "--metric", "psnr")["items"]) == 3


def test_super_resolution_is_scored_as_papers_do_beside_interpolation(folders, measure):
    for index, name in enumerate("abc"):
        truth = noise(3, SIDE, SIDE + index, seed=index)
        save(folders / "small" / f"{name}.png", np.ascontiguousarray(truth[:, ::2, ::2]))
    found = measure(
        folders / "out", folders / "ref",
        *("--task", "super-resolve", "--source", folders / "small"),
    )  # fmt: skip
    for index, item in enumerate(found["items"]):
        truth = noise(3, SIDE, SIDE + index, seed=index)
        assert item["facts"]["border"] == 2
        assert item["metrics"]["psnr_y"] == pytest.approx(
            psnr_y(spoiled(truth), truth, border=2), abs=1e-9
        )
        assert item["metrics"]["ssim_y"] == pytest.approx(
            ssim_y(spoiled(truth), truth, border=2), abs=1e-9
        )
        assert set(item["baselines"]) == {"bicubic", "lanczos"}
    rival = found["summary"]["baselines"]["bicubic"]["psnr_y"]
    assert rival["lead"] > 5
    assert rival["better_in"] == 1.0


@pytest.fixture
def fused(tmp_path):
    """A fused raster and its truth, with a hole."""
    truth = truth_image(4, 96, 80)
    truth[:, :20, :20] = 0
    made = truth + np.random.default_rng(3).normal(0, 9, truth.shape) * (truth > 0)
    made = np.clip(made, 0, None)
    write(tmp_path / "out" / "scene.tif", made, 1.0, nodata=0)
    write(tmp_path / "ref" / "scene.tif", truth, 1.0, nodata=0)
    with rasterio.open(tmp_path / "out" / "scene.tif") as file:
        return tmp_path, file.read().astype(float), np.floor(truth)


def test_pansharpening_scores_are_those_of_the_library(fused, measure):
    folder, made, truth = fused
    found = measure(
        folder / "out", folder / "ref", "--task", "pansharpen", "--ratio", "4"
    )["items"][0]  # fmt: skip
    valid = (made > 0).all(axis=0) & (truth > 0).all(axis=0)
    expected = evaluate_reduced(
        np.where(valid, made, 0), np.where(valid, truth, 0), ratio=4, peak=2047, valid=valid
    )
    assert found["facts"]["peak"] == 2047
    for name, value in found["metrics"].items():
        assert value == pytest.approx(expected[name], rel=1e-9), name
    assert set(found["metrics"]) == set(expected) - {"q2n_padded"}


def test_ergas_without_a_ratio_is_refused(fused, resattn):
    folder, *_ = fused
    done = resattn("metrics", folder / "out", "--ref", folder / "ref", "--task", "pansharpen")
    assert done.code == 2
    assert "--ratio" in done.err


def test_masks_get_the_scores_of_the_library_and_an_empty_baseline(tmp_path, measure):
    rows, cols = np.mgrid[:40, :50]
    true = (rows - 20) ** 2 + (cols - 25) ** 2 < 100
    made = (rows - 22) ** 2 + (cols - 25) ** 2 < 110
    save(tmp_path / "ref" / "a.png", true[None].astype(np.uint8) * 255)
    save(tmp_path / "out" / "a.wound.png", made[None].astype(np.uint8) * 255)
    save(tmp_path / "out" / "a.wound.overlay.png", noise(3, 40, 50))
    found = measure(tmp_path / "out", tmp_path / "ref", "--task", "segment-wound")["items"][0]
    assert found["metrics"]["dice"] == overlap.dice(made, true)
    assert found["metrics"]["hd95"] == surface.hd95(made, true)
    assert found["metrics"]["area_error"] == overlap.area_error(made, true)
    assert found["baselines"]["empty"]["dice"] == 0
    assert masks.mask_pair(made, true).valid.all()


def test_a_mask_with_grey_values_is_pointed_out(tmp_path, resattn):
    save(tmp_path / "a.png", noise(1, 20, 20))
    save(tmp_path / "ref.png", np.full((1, 20, 20), 255, np.uint8))
    done = resattn("metrics", tmp_path / "a.png", "--ref", tmp_path / "ref.png", "--metric", "iou")
    assert done.code == 0
    assert "no plain mask" in done.err


def raster(path, pixels, left=500000.0, **options):
    with rasterio.open(
        path, "w", driver="GTiff", count=len(pixels), height=pixels.shape[1],
        width=pixels.shape[2], dtype=pixels.dtype,
        **({"crs": "EPSG:32632", "transform": from_origin(left, 5200000, 2, 2)} | options),
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


@pytest.mark.parametrize(
    ("estimate", "code", "words"),
    [
        ((noise(3, 20, 24), {}), "E328", "3 bands of 24×20 pixels, its reference ref.tif has 3"),
        ((noise(2, 20, 20), {}), "E328", "2 bands of 20×20 pixels"),
        ((noise(3, 20, 20).astype(np.uint16), {}), "E316", "uint16"),
        ((noise(3, 20, 20), {"left": 500001.0}), "E328", "0.5 pixels away"),
        ((noise(3, 20, 20), {"crs": "EPSG:32633"}), "E328", "EPSG:32633"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(tmp_path, resattn, estimate, code, words):
    pixels, options = estimate
    made = raster(tmp_path / "out.tif", pixels, **options)
    true = raster(tmp_path / "ref.tif", noise(3, 20, 20))
    done = resattn("metrics", made, "--ref", true, "--metric", "psnr")
    assert done.code == 1
    assert f"error[{code}] out: " in done.err
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_types_may_differ_where_the_user_says_what_is_white(tmp_path, measure):
    pixels = noise(3, 20, 20)
    made = raster(tmp_path / "out.tif", pixels.astype(np.float32) + 1)
    true = raster(tmp_path / "ref.tif", pixels)
    found = measure(made, true, "--metric", "rmse,psnr", "--peak", "255")["items"][0]
    assert found["metrics"]["rmse"] == pytest.approx(1.0)
    assert found["metrics"]["psnr"] == pytest.approx(20 * np.log10(255))


@pytest.mark.parametrize(
    ("gate", "code"),
    [("psnr=20", 0), ("psnr=40", 3), ("mean.psnr=20", 0), ("mean.psnr=40", 3), ("sam=1", 3)],
)
def test_gates_are_exit_codes(folders, resattn, gate, code):
    done = resattn(
        "metrics", folders / "out", "--ref", folders / "ref", "--metric", "psnr",
        "--fail-under", gate,
    )  # fmt: skip
    assert done.code == code
    assert ("gate not met" in done.err) is (code == 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing says what to measure"),
        (["--metric", "psnrr"], "did you mean psnr"),
        (["--task", "segment"], "--task 'segment'"),
        (["--metric", "psnr,dice"], "different things"),
        (["--task", "segment-wound", "--metric", "psnr"], "different things"),
    ],
)
def test_wrong_questions_are_refused_before_a_file_is_opened(tmp_path, resattn, options, words):
    done = resattn("metrics", tmp_path, "--ref", tmp_path, *options)
    assert done.code == 2
    assert words in done.err


def test_no_reference_is_refused(tmp_path, resattn):
    done = resattn("metrics", tmp_path, "--metric", "psnr")
    assert (done.code, "--reference" in done.err) == (2, True)


def test_dry_run_lists_the_pairs_and_nothing_is_ever_written(folders, resattn):
    before = sorted(folders.rglob("*"))
    done = resattn(
        "metrics", folders / "out", "--ref", folders / "ref", "--metric", "psnr", "--dry-run"
    )
    assert done.out.count("compare\t") == 3
    assert "write" not in done.out
    resattn("metrics", folders / "out", "--ref", folders / "ref", "--metric", "psnr")
    assert sorted(folders.rglob("*")) == before


def test_one_unreadable_file_fails_alone(folders, resattn):
    (folders / "out" / "b.enlarged.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    report = folders / "r.json"
    done = resattn(
        "metrics", folders / "out", "--ref", folders / "ref", "--metric", "psnr",
        "--report", report,
    )  # fmt: skip
    assert done.code == 1
    assert "error[E" in done.err
    found = json.loads(report.read_text())
    assert found["summary"]["items"] == {"ok": 2, "failed": 1, "skipped": 0}


def test_the_same_from_python(folders):
    from resattn.pipelines.metrics import metrics

    found = metrics(
        folders / "out" / "a.enlarged.png", folders / "ref" / "a.png", metric="psnr,rmse"
    )
    truth = noise(3, SIDE, SIDE)
    assert found.metrics["rmse"] == pytest.approx(
        np.sqrt(np.square(spoiled(truth).astype(float) - truth).mean())
    )


def test_every_task_has_metrics_of_the_table():
    from resattn.metrics import METRICS
    from resattn.pipelines.metrics_tasks import KINDS, TASKS

    for task in TASKS.values():
        assert set(task.metrics) <= set(KINDS[task.kind]) <= set(METRICS)


def test_a_large_image_streams_what_can_stream_and_says_what_it_leaves_out(
    folders, resattn, monkeypatch
):
    from resattn.pipelines import metrics_scores

    monkeypatch.setattr(metrics_scores, "WHOLE_VALUES", 1000)
    done = resattn(
        "metrics", folders / "out" / "a.enlarged.png", "--ref", folders / "ref" / "a.png",
        "--metric", "psnr,ssim", "--format", "json",
    )  # fmt: skip
    assert list(json.loads(done.out)["items"][0]["metrics"]) == ["psnr"]
    assert "ssim left out" in done.err


def test_decoded_images_are_scored_as_codecs_are(tmp_path, measure):
    truth = noise(3, 170, 180)
    save(tmp_path / "ref" / "a.png", truth)
    save(tmp_path / "out" / "a.decoded.png", spoiled(truth))
    found = measure(tmp_path / "out", tmp_path / "ref", "--task", "compress")["items"][0]
    expected = ms_ssim(spoiled(truth), truth, peak=255)
    assert found["metrics"]["ms_ssim"] == pytest.approx(expected, abs=1e-12)
    assert found["baselines"] == {}


TRUTH = {
    "images": [
        {"id": 7, "file_name": "x/one.png", "width": 100, "height": 80},
        {"id": 3, "file_name": "two.png", "width": 100, "height": 80},
    ],
    "categories": [{"id": 5, "name": "ship"}, {"id": 2, "name": "Boat"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 5, "bbox": [10, 10, 40, 30], "area": 1200},
        {"id": 2, "image_id": 3, "category_id": 2, "bbox": [5, 5, 20, 20], "area": 400},
        {"id": 3, "image_id": 3, "category_id": 5, "bbox": [50, 40, 30, 30], "area": 900},
    ],
}
for _row in TRUTH["annotations"]:
    _row["iscrowd"] = 0
ROWS = [
    {"image_id": 7, "category_id": 5, "bbox": [12, 11, 40, 30], "score": 0.9},
    {"image_id": 3, "category_id": 2, "bbox": [5, 5, 20, 20], "score": 0.8},
    {"image_id": 3, "category_id": 5, "bbox": [0, 0, 9, 9], "score": 0.7},
]


@pytest.fixture
def boxes(tmp_path):
    """`truth.json`, COCO's results in `rows.json`, and the same as a COCO file per picture."""
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    (tmp_path / "found").mkdir()
    for image, name in ((7, "one"), (3, "two")):
        rows = [
            row | {"id": i, "image_id": 1, "category_id": {5: 1, 2: 2}[row["category_id"]]}
            for i, row in enumerate(ROWS)
            if row["image_id"] == image
        ]
        classes = enumerate(["SHIP", "boat", "nobody marked this"], start=1)
        stray = {"id": 9, "image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2], "score": 1}
        document = {
            "images": [{"id": 1, "file_name": f"{name}.jpg", "width": 100, "height": 80}],
            "categories": [{"id": number, "name": title} for number, title in classes],
            "annotations": [*rows, stray],
        }
        (tmp_path / "found" / f"{name}.json").write_text(json.dumps(document))
    return tmp_path


@pytest.mark.parametrize("form", ["rows.json", "found"])
def test_boxes_of_any_tool_get_the_numbers_of_pycocotools(boxes, measure, form):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(boxes / "truth.json"))
        judge = COCOeval(truth, truth.loadRes(ROWS), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    found = measure(boxes / form, boxes / "truth.json", "--task", "detect")["items"][0]["metrics"]
    names = [
        *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
        *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
    ]
    expected = {n: v for n, v in zip(names, judge.stats, strict=True) if v >= 0}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert set(found) == {*expected, "box_precision", "box_recall", "box_f1"}
    assert found["box_precision"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"image_id": 99}, "E334"),
        ({"category_id": 99}, "E333"),
        ({"bbox": [1, 2, 3]}, "E332"),
        ({"score": None}, "E331"),
    ],
)
def test_boxes_that_mean_nothing_are_named_by_their_place(boxes, resattn, change, code):
    (boxes / "rows.json").write_text(json.dumps([ROWS[0], ROWS[1] | change]))
    done = resattn(
        "metrics", boxes / "rows.json", "--ref", boxes / "truth.json", "--task", "detect"
    )
    assert done.code == 1
    assert f"error[{code}]" in done.err
    assert "$[1]" in done.err


def test_boxes_need_one_file_of_annotations(boxes, resattn):
    done = resattn("metrics", boxes / "rows.json", "--ref", boxes / "found", "--task", "detect")
    assert (done.code, "whole set" in done.err) == (2, True)
