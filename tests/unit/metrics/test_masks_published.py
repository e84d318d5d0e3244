"""Published masks with known scores (FUSeg validation): the conventions are those of the field."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from skimage.io import imread

from resattn.metrics import overlap, surface

# Image Dice with empty photographs counted, pooled Dice, IoU, precision and recall, in percent;
# false alarms on the five empty photographs; median area error.
PUBLISHED = {
    "FANet": (84.32, 91.22, 83.86, 89.81, 92.68, 4, 9.8),
    "ifanet": (87.75, 93.70, 88.14, 92.74, 94.68, None, 5.6),
}


@pytest.fixture(scope="module")
def labels(shared):
    return {p.name: imread(p) for p in sorted((shared / "wound/fuseg/validation/labels").iterdir())}


@pytest.mark.shared
@pytest.mark.parametrize("method", PUBLISHED)
def test_peers_score_as_published(shared, labels, method):
    image, pooled, iou, precision, recall, alarms, area = PUBLISHED[method]
    running = [
        getattr(overlap, f"running_{name}")() for name in ("dice", "iou", "precision", "recall")
    ]
    dice, areas, found = [], [], 0
    for name, label in labels.items():
        mask = imread(shared / "wound/predictions_baseline" / method / name)
        dice.append(overlap.dice(mask, label))
        if label.any():
            areas.append(overlap.area_error(mask, label))
        else:
            found += bool(mask.any())
        for score in running:
            score.update(mask, label)
    assert len(labels) == 200
    assert 100 * np.mean(dice) == pytest.approx(image, abs=0.005)
    for score, expected in zip(running, (pooled, iou, precision, recall), strict=True):
        assert 100 * score.compute() == pytest.approx(expected, abs=0.005)
    assert np.median(areas) == pytest.approx(area, abs=0.05)
    assert alarms is None or found == alarms


@pytest.mark.shared
def test_two_readers_agree_as_recorded(shared):
    """Photographs annotated twice: Dice as listed, and the card's NSD and HD95."""
    rows = csv.DictReader((shared / "wound/splits/reannotation_dice.csv").read_text().splitlines())
    scores = []
    for row in rows:
        first, second = (
            imread(shared / "wound/fuseg" / row[f"s{i}"] / "labels" / row[f"n{i}"]) for i in "12"
        )
        value = overlap.dice(first, second)
        assert value == pytest.approx(float(row["dice"]), abs=1e-12)
        if first.any():
            nsd = [surface.nsd(first, second, tolerance=t) for t in (1, 2, 3, 5)]
            scores.append((value, surface.hd95(first, second), *nsd))
    mean = np.mean(scores, axis=0)
    assert 100 * mean[0] == pytest.approx(93.1, abs=0.05)
    assert np.median([score[1] for score in scores]) == pytest.approx(3.6, abs=0.05)
    assert mean[2:] == pytest.approx([0.745, 0.879, 0.937, 0.964], abs=0.001)
