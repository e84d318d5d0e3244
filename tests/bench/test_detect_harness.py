"""The harness of detect measures what it says it measures."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch
from rasterio.transform import from_origin

from bench import detect_ablation, detect_costs, detect_seams, detect_sets
from resattn.detection.annotations import Mark, Marked
from resattn.detection.coco_numbers import NUMBERS, curves, numbers
from resattn.detection.finder import Finder, Sight
from resattn.detection.finding import Finding
from resattn.detection.found import Found
from resattn.detection.picture import open_picture
from resattn.detection.writers import FORMS
from resattn.io.ground import CRS, Ground
from resattn.io.image import encode_image
from resattn.models.detector import Detector, DetectorConfig
from resattn.tiling import Window
from resattn.training.detect import Settings
from resattn.weights import header
from resattn.weights.export import pack
from resattn.weights.origin import Origin
from tests.unit.detection.blobs import Blobs


def test_both_scorers_are_given_the_same_set():
    truths, findings, classes = detect_costs.random_set(6)
    ours = numbers(*curves(truths, findings, len(classes)))
    rows = detect_costs.coco_rows(truths), detect_costs.coco_rows(truths, findings)
    pytest.importorskip("pycocotools")
    theirs = detect_costs.by_pycocotools(*rows, 6, len(classes))
    assert [ours[name] for name in NUMBERS] == pytest.approx(theirs, abs=1e-12)


def test_the_raster_holds_nine_blocks_and_else_nothing(tmp_path):
    path = detect_costs.sparse_raster(tmp_path / "a.tif", 2048)
    assert path.stat().st_size < 9 * 3 * 513**2
    with open_picture(path) as picture:
        full = [
            (row, col)
            for row in range(0, 2048, 512)
            for col in range(0, 2048, 512)
            if not picture.empty(Window(row, col, 512, 512))
        ]
    assert len(full) == 9


def test_doubles_are_pairs_of_one_class():
    box = np.array([[0.0, 0, 10, 10]])
    found = Found(np.repeat(box, 3, axis=0), np.ones(3), np.array([0, 0, 1]))
    assert detect_sets.doubles([found, Found.none()]) == 1


def test_runs_of_a_pair_differ_by_the_bridge_alone(tmp_path):
    options = argparse.Namespace(
        data=tmp_path / "x", runs=tmp_path, steps=3, batch=2, lr=1e-3, folds=5, fold=1
    )
    jobs = [detect_ablation.job_of(options, name, 3) for name in detect_ablation.VARIANTS]
    models = [Settings.from_dict(job.settings).model for job in jobs]
    assert [model.bvr is None for model in models] == [True, False]
    assert replace(models[0], bvr=models[1].bvr) == models[1]
    assert replace(jobs[0], run=jobs[1].run, settings=jobs[1].settings) == jobs[1]
    assert jobs[0].run != jobs[1].run


def test_sheets_hold_the_photographs_and_their_boxes(tmp_path):
    pixels = np.zeros((3, 60, 80), np.uint8)
    pixels[0, 20:40, 10:30] = 250
    (tmp_path / "a.png").write_bytes(encode_image(pixels, format="png"))
    picture = Marked("a.png", 60, 80, (Mark((10, 20, 30, 40), 0),))
    files = {"a.png": tmp_path / "a.png"}
    (sheet,) = detect_seams.sheets_of([picture] * 13, files, 40, tmp_path)
    assert sheet.truths[0].marks[0].box == (5, 10, 15, 20)
    for tile in (0, 64):
        finder = Finder(Blobs(), Sight(side=40), torch.device("cpu"))
        found = detect_seams.looked_at(sheet, tile, finder)
        assert len(found) == 12
        for one in found:
            np.testing.assert_allclose(one.boxes, [[5, 10, 15, 20]])


def test_other_settings_change_no_value(tmp_path):
    torch.manual_seed(0)
    config = DetectorConfig(width=8, depth=1, bvr=None)
    origin = Origin("detect.x", "detect", "detector", config.to_dict(), "d", "MIT", "MIT", "c")
    entry, data = pack(Detector(config).state_dict(), origin)
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    changed, again = detect_sets.with_settings(path, {"score": 0.7, "largest": 96})
    assert changed.config == entry.config | {"score": 0.7, "largest": 96}
    (_, before), (_, after) = (header.parse(part, "x") for part in (data, again))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_boxes_come_back_from_a_geopackage(tmp_path):
    ground = Ground(CRS.from_epsg(32631), from_origin(500_000, 5_000_000, 10, 10))
    boxes = np.array([[10.0, 20, 30, 50], [1, 2, 3.5, 4]])
    found = Found(boxes, np.ones(2), np.zeros(2, int))
    finding = Finding.of("a.tif", (100, 100), ("ship",), found, ground)
    FORMS["gpkg"].write(tmp_path / "a.gpkg", finding, False)
    np.testing.assert_allclose(detect_sets.polygons(tmp_path / "a.gpkg", ground), boxes, atol=1e-6)
