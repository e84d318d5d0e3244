"""Mask scores against brute force over every pair of pixels, and their empty rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from resattn.metrics import METRICS, overlap, surface

SCORES = {
    name: getattr(surface if name in ("hd95", "nsd") else overlap, name)
    for name, row in METRICS.items()
    if row.kind == "mask"
}
masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
pairs = masks.flatmap(lambda a: st.tuples(st.just(a), arrays(bool, a.shape)))


def by_sets(estimate, reference):
    """The overlap scores from sets of coordinates."""
    e, r = ({tuple(p) for p in np.argwhere(m)} for m in (estimate, reference))
    background = estimate.size - len(r)
    return {
        "dice": 2 * len(e & r) / (len(e) + len(r)),
        "iou": len(e & r) / len(e | r),
        "precision": len(e & r) / len(e),
        "recall": len(e & r) / len(r),
        "specificity": (background - len(e - r)) / background if background else 1.0,
        "area_error": 100 * abs(len(e) - len(r)) / len(r),
    }


def rim(mask):
    """Coordinates of mask pixels with one of eight neighbours outside."""
    padded = np.pad(mask, 1)
    return np.array(
        [(r, c) for r, c in np.argwhere(mask) if not padded[r : r + 3, c : c + 3].all()]
    )


def by_pairs(estimate, reference):
    """The outline scores from all distances between outline pixels."""
    table = cdist(rim(estimate), rim(reference))
    there, back = table.min(1), table.min(0)
    hd = max(np.percentile(there, 95), np.percentile(back, 95))
    return {"hd95": hd, "nsd": ((there <= 3).sum() + (back <= 3).sum()) / (len(there) + len(back))}


@given(pairs)
@settings(max_examples=200)
def test_scores_equal_brute_force(pair):
    estimate, reference = pair
    if not (estimate.any() and reference.any()):
        return
    expected = by_sets(estimate, reference) | by_pairs(estimate, reference)
    for name, score in SCORES.items():
        assert score(estimate, reference) == pytest.approx(expected[name], abs=1e-12), name


@given(pairs, st.data())
def test_a_masked_pixel_changes_nothing(pair, data):
    estimate, reference = pair
    valid = data.draw(arrays(bool, estimate.shape))
    for name, score in SCORES.items():
        plain = score(estimate & valid, reference & valid, valid=valid)
        assert score(estimate | ~valid, reference, valid=valid) == plain, name


@pytest.mark.parametrize("name", SCORES)
def test_empty_rule(name):
    empty, some = np.zeros((3, 4)), np.eye(3, 4)
    score, row = SCORES[name], METRICS[name]
    assert score(empty, empty) == row.perfect
    worst = {"hd95": 5.0, "area_error": 100.0, "specificity": 1.0}.get(name, 0.0)
    assert score(empty, some) == worst
    alarm = {"hd95": 5.0, "area_error": math.inf, "specificity": 0.75}.get(name, 0.0)
    assert score(some, empty) == alarm


def test_pooled_is_the_score_of_the_concatenation():
    rng = np.random.default_rng(3)
    photos = [(rng.random((5, 7)) < p, rng.random((5, 7)) < 0.3) for p in (0.0, 0.2, 0.6)]
    whole = [np.concatenate(side) for side in zip(*photos, strict=True)]
    for name in ("dice", "iou", "precision", "recall", "specificity"):
        pooled = getattr(overlap, f"running_{name}")()
        for estimate, reference in photos:
            pooled.update(estimate, reference)
        assert pooled.compute() == SCORES[name](*whole), name
    mean = np.mean([overlap.dice(*photo) for photo in photos])
    assert mean != pytest.approx(overlap.dice(*whole), abs=0.01), "the two averages must differ"


@given(pairs)
def test_wider_tolerance_never_lowers_nsd(pair):
    values = [surface.nsd(*pair, tolerance=t) for t in (0, 1, 2, 20)]
    assert values == sorted(values)


def test_refusals_name_what_was_given():
    with pytest.raises(ValueError, match=r"\(2, 2\), reference \(2, 3\)"):
        overlap.dice(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"estimate must be a mask \(H, W\), got shape \(1, 2, 2\)"
    ):
        surface.hd95(np.ones((1, 2, 2)), np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="-1"):
        surface.nsd(np.ones((2, 2)), np.ones((2, 2)), tolerance=-1)
    with pytest.raises(ValueError, match="valid has shape"):
        overlap.iou(np.ones((2, 2)), np.ones((2, 2)), valid=np.ones((1, 2)))
