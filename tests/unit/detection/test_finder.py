"""Windows over a picture of any size give each object once, wherever the seams fall."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.detection.finder import Finder, Sight
from resattn.detection.found import Found, overlaps
from resattn.detection.mosaic import Mosaic
from resattn.detection.picture import Picture
from resattn.detection.seams import Seams
from resattn.errors import UserError
from resattn.tiling import Window
from tests.unit.detection.blobs import Blobs, scene

CPU = torch.device("cpu")


def picture(pixels, *, streamed=True, empty=lambda window: False):
    height, width = pixels.shape[1:]
    return Picture(
        None, height, width, streamed, None, (1, 2, 3), None,
        lambda window: pixels[(slice(None), *window.slices)], empty,
    )  # fmt: skip


def find(pixels, **sight):
    return Finder(Blobs(), Sight(**sight), CPU).find(picture(pixels))


def as_set(boxes, labels):
    return {(*map(int, box), int(label)) for box, label in zip(boxes, labels, strict=True)}


def apart(boxes):
    """Whether no two rectangles touch."""
    return all(
        a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    )


@st.composite
def rectangles(draw, largest):
    height, width = draw(st.integers(20, 150)), draw(st.integers(20, 150))
    boxes = []
    for _ in range(draw(st.integers(0, 8))):
        h, w = draw(st.integers(3, min(largest, height))), draw(st.integers(3, min(largest, width)))
        top, left = draw(st.integers(0, height - h)), draw(st.integers(0, width - w))
        if apart([*boxes, (left, top, left + w, top + h)]):
            boxes.append((left, top, left + w, top + h))
    return height, width, boxes, [draw(st.integers(0, 1)) for _ in boxes]


@settings(max_examples=60, deadline=None)
@given(rectangles(largest=14), st.integers(0, 16))
def test_objects_no_larger_than_the_overlap_are_found_once_as_in_one_view(drawn, more):
    height, width, boxes, labels = drawn
    found = find(scene(height, width, boxes, labels), tile=48, overlap=16 + more // 2)
    assert len(found) == len(boxes)
    assert as_set(found.boxes, found.labels) == as_set(boxes, labels)
    assert (np.diff(found.scores) <= 0).all()


@settings(max_examples=60, deadline=None)
@given(rectangles(largest=120))
def test_large_objects_are_joined_from_their_parts(drawn):
    height, width, boxes, labels = drawn
    found = find(scene(height, width, boxes, labels), tile=48, overlap=16)
    same = overlaps(np.array(boxes, float).reshape(-1, 4), found.boxes)
    same *= np.array(labels)[:, None] == found.labels[None]
    assert (same.max(1, initial=0) > 0.6).all() if len(boxes) and len(found) else not len(boxes)


@pytest.mark.parametrize("box", [(10, 10, 200, 30), (10, 10, 30, 200), (10, 10, 200, 190)])
def test_an_object_across_many_windows_is_one_box(box):
    found = find(scene(210, 220, [box]), tile=64, overlap=24)
    assert as_set(found.boxes, found.labels) == as_set([box], [0])


def test_an_object_exactly_as_large_as_the_overlap_is_not_lost():
    mosaic = Mosaic(64, 112, 64, 16)
    start = mosaic.columns[1]
    for left in range(start - 6, start + 7):
        for right in range(start + 10, start + 22):
            found = find(scene(64, 112, [(left, 20, right, 30)]), tile=64, overlap=16)
            assert as_set(found.boxes, found.labels) == as_set([(left, 20, right, 30)], [0])


def test_no_two_boxes_of_one_class_overlap_across_a_seam():
    """Jittered views of one object, as a network gives them, do not add up."""
    rng = np.random.default_rng(0)
    mosaic, seams = Mosaic(200, 200, 64, 24), Seams(200, 200)
    truth = np.array([[x, y, x + 18, y + 14] for x in range(5, 180, 25) for y in range(5, 180, 22)])
    for place, window in mosaic:
        low = np.array([window.col, window.row] * 2)
        high = np.array([window.right, window.bottom] * 2)
        cut = np.clip(truth + rng.uniform(-1.5, 1.5, truth.shape), low, high)
        shown = (cut[:, 2:] - cut[:, :2]).prod(1) > 0.2 * 18 * 14
        shown &= (cut[:, 2:] > cut[:, :2]).all(1)
        boxes = cut[shown]
        seams.add(place, window, Found(boxes, rng.random(len(boxes)), np.zeros(len(boxes), int)))
    found = seams.result()
    assert len(found) == len(truth)
    same = overlaps(found.boxes, found.boxes) - np.eye(len(found))
    assert same.max() <= 0.5
    assert overlaps(truth.astype(float), found.boxes).max(1).min() > 0.6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_seams_leave_no_pair_that_a_window_would_not(seed):
    """Crowds of uncertain boxes, of which each window shows other views."""
    rng = np.random.default_rng(seed)
    mosaic, seams = Mosaic(64, 150, 64, 32), Seams(64, 150, 0.6)
    truth = rng.uniform((0, 0), (130, 44), (12, 2))
    truth = np.concatenate([truth, truth + rng.uniform(10, 20, truth.shape)], axis=1)
    for place, window in mosaic:
        views = np.repeat(truth, 4, axis=0) + rng.normal(0, 2.5, (4 * len(truth), 4))
        low = np.array([window.col, window.row] * 2)
        cut = np.clip(views, low, np.array([window.right, window.bottom] * 2))
        cut = cut[((cut[:, 2:] - cut[:, :2]) > 3).all(1)]
        order = rng.permutation(len(cut))
        kept = [cut[order[0]]] if len(order) else []
        for box in cut[order[1:]]:
            if overlaps(np.array(kept), box[None]).max() <= 0.6:
                kept.append(box)
        boxes = np.array(kept).reshape(-1, 4)
        scores = np.sort(rng.random(len(boxes)))[::-1]
        seams.add(place, window, Found(boxes, scores, np.zeros(len(boxes), int)))
    found = seams.result()
    same = overlaps(found.boxes, found.boxes) - np.eye(len(found))
    assert same.max(initial=0) <= 0.6


def test_two_classes_at_one_place_stay_two():
    seams = Seams(64, 100)
    box = np.array([[44.0, 10, 56, 20]])
    for column in (0, 1):
        window = Window(0, 36 * column, 64, 64)
        seams.add((0, column), window, Found(box, np.ones(1), np.array([column])))
    assert sorted(seams.result().labels) == [0, 1]


@pytest.mark.parametrize("first", [0, 1])
def test_a_whole_object_is_as_likely_as_the_window_says_that_shows_it_whole(first):
    """And not as likely as another window says of the part that it shows."""
    seams = Seams(64, 112)
    windows = [Window(0, 0, 64, 64), Window(0, 48, 64, 64)]
    views = [([[40.0, 10, 60, 40]], 0.4), ([[48.0, 10, 60, 40]], 0.9)]  # whole, and cut at 48
    if first:  # the same, turned about
        views = [([[112 - r, 10, 112 - x, 40] for x, _, r, _ in boxes], s) for boxes, s in views]
        views.reverse()
    for place, (window, (box, score)) in enumerate(zip(windows, views, strict=True)):
        view = Found(np.array(box), np.array([score]), np.zeros(1, int))
        seams.add((0, place), window, view)
    found = seams.result()
    assert found.boxes.tolist() == views[first][0]
    assert found.scores.tolist() == [0.4]


def test_what_was_given_is_left_as_it_was():
    boxes = np.array([[40.0, 10, 60, 20]])
    seams = Seams(64, 100)
    seams.add((0, 0), Window(0, 0, 64, 64), Found(boxes, np.ones(1), np.zeros(1, int)))
    seams.add((0, 1), Window(0, 36, 64, 64), Found(boxes.copy(), np.ones(1), np.zeros(1, int)))
    assert boxes.tolist() == [[40, 10, 60, 20]]
    assert len(seams.result()) == 1


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 80), st.floats(0, 0.5))
def test_windows_cover_all_alike_and_share_enough(height, width, side, share):
    mosaic = Mosaic(height, width, side, int(side * share))
    windows = [window for _, window in mosaic]
    assert len(windows) == len(mosaic)
    covered = np.zeros((height, width), bool)
    for window in windows:
        covered[window.slices] = True
        assert (window.height, window.width) == (min(side, height), min(side, width))
        assert window.row >= 0
        assert window.bottom <= height
        assert window.right <= width
    assert covered.all()
    for starts, length in ((mosaic.rows, height), (mosaic.columns, width)):
        gaps = np.diff(starts)
        assert (gaps > 0).all()
        assert (min(side, length) - gaps >= int(side * share)).all()


def test_photographs_are_scaled_and_rasters_enlarged():
    pixels = scene(100, 200, [(20, 40, 60, 80)])
    model = Blobs()
    finder = Finder(model, Sight(tile=64, overlap=16, side=50, zoom=2), CPU)
    (box,) = finder.find(picture(pixels, streamed=False)).boxes
    assert model.sizes == [(1, 3, 25, 50)]
    np.testing.assert_allclose(box, [20, 40, 60, 80], atol=4)
    model.sizes.clear()
    (box,) = finder.find(picture(pixels)).boxes
    assert set(model.sizes) == {(1, 3, 64, 64)}
    np.testing.assert_allclose(box, [20, 40, 60, 80], atol=0.5)


def test_windows_without_a_valid_pixel_are_not_looked_at():
    pixels = scene(64, 200, [(10, 10, 20, 20), (150, 10, 160, 20)])
    model, told = Blobs(), []
    finder = Finder(model, Sight(tile=64, overlap=16), CPU)
    found = finder.find(picture(pixels, empty=lambda window: window.col > 64), told.append)
    assert len(found) == 1
    assert len(model.sizes) < sum(told) == len(Mosaic(64, 200, 64, 16))


def test_a_sight_that_cannot_work_is_refused():
    for wrong in ({"tile": 16}, {"tile": 64, "overlap": 33}, {"zoom": 0}, {"tile": 64, "zoom": 4}):
        with pytest.raises(UserError, match="--tile"):
            Sight(**wrong)
    with pytest.raises(ValueError, match="windows of 10 sharing 6"):
        Mosaic(20, 20, 10, 6)
