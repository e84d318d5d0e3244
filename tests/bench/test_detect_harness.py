"""The harness of detect measures what it says it measures."""

from __future__ import annotations

import numpy as np
import pytest

from bench import detect_costs, detect_sets
from resattn.detection.found import Found
from resattn.detection.picture import open_picture
from resattn.detection.score import NUMBERS, curves, numbers
from resattn.tiling import Window


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
