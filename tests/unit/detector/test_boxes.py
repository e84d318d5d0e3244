"""Boxes against NumPy written from the definitions, one pair at a time."""

import numpy as np
import pytest
import torch

from resattn.ops.boxes import giou, iou, nms, pairwise_iou


def overlap(a, b):
    """Intersection, union and hull of two boxes."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = w * h if w > 0 and h > 0 else 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return both, union, hull


def greedy(boxes, scores, labels, threshold):
    """Suppression as its definition says: take the best that is left, drop what it covers."""
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept = []
    while left:
        best, *left = left
        kept.append(best)

        def falls(i, best=best):
            both, union, _ = overlap(boxes[best], boxes[i])
            return labels[i] == labels[best] and both / union > threshold

        left = [i for i in left if not falls(i)]
    return kept


def random_boxes(count, seed, side=100.0, size=30.0):
    draw = np.random.default_rng(seed)
    corner = draw.uniform(0, side, (count, 2))
    return np.concatenate([corner, corner + draw.uniform(1, size, (count, 2))], 1)


@pytest.mark.parametrize("seed", range(3))
def test_iou_and_giou_of_every_pair(seed):
    a, b = random_boxes(20, seed), random_boxes(17, seed + 50)
    pairs = np.array([[overlap(x, y) for y in b] for x in a])
    both, union, hull = pairs[..., 0], pairs[..., 1], pairs[..., 2]
    ours = pairwise_iou(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(ours, both / union, atol=1e-12)
    generalised = giou(torch.from_numpy(a)[:, None], torch.from_numpy(b)[None])
    np.testing.assert_allclose(generalised, both / union - (hull - union) / hull, atol=1e-12)


def test_boxes_apart_are_drawn_together():
    a = torch.tensor([0.0, 0, 10, 10], requires_grad=True)
    giou(a, torch.tensor([20.0, 0, 30, 10])).backward()
    assert a.grad[2] > 0  # the near side should move closer


def test_empty_boxes_overlap_nothing():
    box = torch.tensor([[3.0, 3, 3, 3]])
    assert iou(box, box) == 0
    assert torch.isfinite(giou(box, box))


@pytest.mark.parametrize("count", [0, 1, 5, 255, 256, 257, 700])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6])
def test_nms_is_greedy_suppression(count, threshold):
    boxes = random_boxes(count, count)
    draw = np.random.default_rng(count)
    scores = draw.integers(0, 40, count) / 40  # many ties
    labels = draw.integers(0, 3, count)
    kept = nms(*(torch.from_numpy(x) for x in (boxes, scores, labels)), threshold)
    assert kept.tolist() == greedy(boxes, scores, labels, threshold)


def test_nms_follows_chains():
    """The second falls to the first; the third, which only the second covers, stands."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.long), 0.3)
    assert kept.tolist() == [0, 2]
