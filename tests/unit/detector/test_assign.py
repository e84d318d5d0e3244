"""Assignment against NumPy loops over anchors and objects, written from the papers."""

import numpy as np
import pytest
import torch
from test_boxes import overlap

from resattn.models.detect_hosts import HOSTS
from resattn.models.detect_pyramid import STRIDES, cells_of
from resattn.training.detect_assign import ASSIGNERS, IGNORED, NOTHING, Truths

SIDE = 256
SIZES = [(0, 64), (64, 128), (128, 256), (256, 512), (512, np.inf)]


def cells():
    grid = cells_of([torch.zeros(1, 1, SIDE // s, SIDE // s) for s in STRIDES])
    return grid._replace(corners=grid.corners.double(), strides=grid.strides.double())


def objects(seed, count):
    draw = np.random.default_rng(seed)
    corner = draw.uniform(0, SIDE * 0.7, (count, 2))
    sides = np.exp(draw.uniform(np.log(6), np.log(200), (count, 2)))
    return np.concatenate([corner, np.minimum(corner + sides, SIDE)], 1)


def iou(a, b):
    both, union, _ = overlap(a, b)
    return both / union


def sides_of(x, y, box):
    return np.array([x - box[0], y - box[1], box[2] - x, box[3] - y])


def atss_as_written(priors, counts, boxes):
    best = np.full(len(priors), -1.0)
    owner = np.full(len(priors), NOTHING)
    centres = (priors[:, :2] + priors[:, 2:]) / 2
    for index, box in enumerate(boxes):
        middle = (box[:2] + box[2:]) / 2
        near, start = [], 0
        for count in counts:
            away = np.linalg.norm(centres[start : start + count] - middle, axis=1)
            near += list(start + np.argsort(away, kind="stable")[:9])
            start += count
        overlaps = np.array([iou(priors[i], box) for i in near])
        least = overlaps.mean() + overlaps.std(ddof=1)
        for i, value in zip(near, overlaps, strict=True):
            inside = sides_of(*centres[i], box).min() > 0.01
            if value >= least and inside and value > best[i]:
                best[i], owner[i] = value, index
    return owner


def fcos_as_written(grid, boxes):
    owner = np.full(len(grid.strides), NOTHING)
    for cell, ((x, y), stride) in enumerate(zip(grid.centres.numpy(), grid.strides, strict=True)):
        low, high = SIZES[STRIDES.index(int(stride))]
        smallest = np.inf
        for index, box in enumerate(boxes):
            middle = (box[:2] + box[2:]) / 2
            near = max(abs(x - middle[0]), abs(y - middle[1])) < 1.5 * float(stride)
            reach = sides_of(x, y, box)
            size = np.prod(box[2:] - box[:2])
            if near and reach.min() > 0 and low <= reach.max() <= high and size < smallest:
                smallest, owner[cell] = size, index
    return owner


def max_iou_as_written(priors, boxes):
    table = np.array([[iou(p, b) for b in boxes] for p in priors])
    owner = np.where(table.max(1) >= 0.5, table.argmax(1), IGNORED)
    owner[table.max(1) < 0.4] = NOTHING
    for index in range(len(boxes)):
        owner[table[:, index] >= table[:, index].max() * (1 - 1e-5)] = index
    return owner


def as_written(name, host, grid, boxes):
    priors = host.priors(grid).numpy()
    if name == "atss":
        return atss_as_written(priors, grid.counts, boxes)
    return fcos_as_written(grid, boxes) if name == "fcos" else max_iou_as_written(priors, boxes)


@pytest.mark.parametrize("name", HOSTS)
def test_a_batch_is_assigned_as_written(name):
    """Two pictures with different numbers of objects, the shorter list padded."""
    host, grid = HOSTS[name](8, 2, 0.5), cells()
    boxes = [objects(1, 5), objects(2, 3)]
    padded = np.zeros((2, 5, 4))
    labels = np.full((2, 5), -1)
    for i, each in enumerate(boxes):
        padded[i, : len(each)], labels[i, : len(each)] = each, 1
    truths = Truths(torch.from_numpy(padded), torch.from_numpy(labels))
    ours = ASSIGNERS[name](host, grid, truths)
    for i, each in enumerate(boxes):
        np.testing.assert_array_equal(ours[i], as_written(name, host, grid, each))
    assert (ours >= 0).sum() > 8


@pytest.mark.parametrize("name", HOSTS)
def test_a_picture_without_objects_is_background(name):
    truths = Truths(torch.zeros(1, 2, 4).double(), torch.full((1, 2), -1))
    assigned = ASSIGNERS[name](HOSTS[name](8, 2, 0.5), cells(), truths)
    assert (assigned == NOTHING).all()
