"""COCO's numbers against pycocotools; counts and confusions against what can be counted by hand."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest

from resattn.detection.annotations import Mark, Marked
from resattn.detection.coco_numbers import NUMBERS
from resattn.detection.found import Found
from resattn.detection.score import evaluate, relabelled
from resattn.errors import ItemError
from resattn.metrics import METRICS

CLASSES = ("a", "b", "c")


def random_set(seed, pictures=25, crowds=True):
    """Objects of all sizes, and findings that miss some, jitter, double and invent others."""
    rng = np.random.default_rng(seed)
    truths, findings = [], []
    for i in range(pictures):
        count = int(rng.integers(0, 12))
        corner = rng.uniform(0, 400, (count, 2))
        boxes = np.concatenate([corner, corner + rng.lognormal(3.3, 1, (count, 2))], axis=1)
        labels = rng.integers(0, 3, count)
        marks = tuple(
            Mark(tuple(box), int(label), bool(crowds and rng.random() < 0.08), area)
            for box, label, area in zip(
                boxes.tolist(), labels, rng.choice([0.0, 700.0], count), strict=True
            )
        )
        truths.append(Marked(f"{i}.png", 600, 600, marks))
        seen = np.repeat(boxes[rng.random(count) < 0.8], 2, axis=0)
        seen = seen + rng.normal(0, 3, seen.shape)
        seen[:, 2:] = np.maximum(seen[:, 2:], seen[:, :2] + 1)
        score = np.round(rng.random(len(seen)), 2)  # ties occur
        findings.append(Found(seen, score, rng.integers(0, 3, len(seen))))
    return truths, findings


def by_pycocotools(truths, findings):
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")

    def made(rows):
        document = coco.COCO()
        document.dataset = {
            "images": [{"id": i} for i in range(1, len(truths) + 1)],
            "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, start=1)],
            "annotations": [{"id": i, **row} for i, row in enumerate(rows, start=1)],
        }
        document.createIndex()
        return document

    def row(image, box, label, **more):
        left, top, right, bottom = map(float, box)
        size = [left, top, right - left, bottom - top]
        area = size[2] * size[3]
        return {
            "image_id": image, "category_id": int(label) + 1, "bbox": size, "area": area,
            "iscrowd": 0, **more,
        }  # fmt: skip

    with contextlib.redirect_stdout(io.StringIO()):
        true = [
            row(i, m.box, m.label, iscrowd=int(m.crowd), **({"area": m.area} if m.area else {}))
            for i, t in enumerate(truths, start=1)
            for m in t.marks
        ]
        found = [
            row(i, box, label, score=float(score))
            for i, f in enumerate(findings, start=1)
            for box, score, label in zip(f.boxes, f.scores, f.labels, strict=True)
        ]
        evaluation = cocoeval.COCOeval(made(true), made(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(4))
def test_the_twelve_numbers_are_those_of_pycocotools(seed):
    truths, findings = random_set(seed)
    oracle = by_pycocotools(truths, findings)
    ours = evaluate(truths, findings, CLASSES)
    assert [ours.numbers[name] for name in NUMBERS] == pytest.approx(oracle.stats, abs=1e-12)
    for k, one in enumerate(ours.classes):
        curve = oracle.eval["precision"][0, :, k, 0, 2]
        np.testing.assert_allclose(one.precision, curve, atol=1e-12)
        assert one.ap50 == pytest.approx(curve.mean(), abs=1e-12)


def test_every_number_is_in_the_table_of_metrics():
    for name in NUMBERS:
        assert METRICS[name].higher_is_better
        assert METRICS[name].range == (0, 1)
        assert METRICS[name].kind == "boxes"


BOX = (10.0, 10.0, 30.0, 30.0)
FAR = (100.0, 100.0, 130.0, 130.0)


def one(marks, boxes, labels, scores=None):
    scores = np.linspace(0.9, 0.8, len(boxes)) if scores is None else np.array(scores, float)
    found = Found(np.array(boxes, float).reshape(-1, 4), scores, np.array(labels, np.int64))
    return [Marked("x.png", 200, 200, tuple(Mark(*m) for m in marks))], [found]


def test_all_found_is_one_and_nothing_found_is_zero():
    marks = [(BOX, 0), (FAR, 1)]
    best = evaluate(*one(marks, [BOX, FAR], [0, 1]), CLASSES)
    assert best.numbers["ap"] == best.numbers["ap50"] == best.numbers["ar100"] == 1
    assert math.isnan(best.numbers["ap_large"])
    assert math.isnan(best.classes[2].ap)
    assert best.pictures[0].f1 == 1
    worst = evaluate(*one(marks, [], []), CLASSES)
    assert worst.numbers["ap"] == worst.numbers["ar100"] == worst.numbers["ap_small"] == 0
    assert math.isnan(worst.numbers["ap_large"])
    assert worst.pictures[0].recall == 0


def test_a_picture_without_objects_is_right_when_nothing_is_found():
    found = evaluate(*one([], [], []), CLASSES)
    assert math.isnan(found.numbers["ap"])
    picture = found.pictures[0]
    assert (picture.precision, picture.recall, picture.f1) == (1, 1, 1)
    picture = evaluate(*one([], [BOX], [0]), CLASSES).pictures[0]
    assert (picture.precision, picture.recall, picture.f1) == (0, 0, 0)


def test_confusions_and_counts():
    marks = [(BOX, 0), (FAR, 1)]
    third = (60.0, 60.0, 70.0, 70.0)
    found = evaluate(*one(marks, [BOX, BOX, third], [1, 0, 2]), CLASSES)
    expected = np.zeros((4, 4), int)
    expected[0, 1] = 1  # the likelier of two boxes on one object
    expected[1, 3] = 1  # missed
    expected[3, 0] = expected[3, 2] = 1  # nothing there
    assert found.confusion.tolist() == expected.tolist()
    (picture,) = found.pictures
    assert (picture.hits, picture.false, picture.missed) == (1, 2, 1)
    assert picture.precision == pytest.approx(1 / 3)
    assert picture.recall == 0.5
    assert picture.f1 == pytest.approx(0.4)


def test_boxes_in_a_group_are_passed_over():
    marks = [(BOX, 0), ((90.0, 90.0, 140.0, 140.0), 0, True)]
    (picture,) = evaluate(*one(marks, [BOX, FAR], [0, 0]), CLASSES).pictures
    assert (picture.hits, picture.false, picture.missed) == (1, 0, 0)


def test_unlikely_boxes_count_for_average_precision_only():
    found = evaluate(*one([(BOX, 0)], [BOX, FAR], [0, 0], [0.3, 0.2]), CLASSES, score=0.5)
    assert found.numbers["ap50"] == 1
    assert found.confusion[0].tolist() == [0, 0, 0, 1]


def test_the_worst_picture_comes_first():
    truths, findings = random_set(1)
    order = [picture.f1 for picture in evaluate(truths, findings, CLASSES).pictures]
    assert order == sorted(order)
    with pytest.raises(ValueError, match="24 findings for 25 pictures"):
        evaluate(truths, findings[1:], CLASSES)


def test_classes_meet_by_name():
    found = Found(np.array([BOX, FAR, BOX]), np.ones(3), np.array([0, 1, 2]))
    same, unknown = relabelled(found, ("RBC", "cell", "wbc"), ("WBC", "rbc"))
    assert same.labels.tolist() == [1, 0]
    assert same.boxes.tolist() == [list(BOX), list(BOX)]
    assert unknown == ["cell"]
    with pytest.raises(ItemError, match="finds cat, the annotations mark dog"):
        relabelled(Found.none(), ("cat",), ("dog",))
