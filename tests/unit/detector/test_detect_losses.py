"""Losses against NumPy written from the papers' equations, and against what they must mean."""

import dataclasses

import numpy as np
import pytest
import torch
from test_boxes import overlap
from test_detector import HOSTS, SMALL, photo, seeded

from resattn.models.detect_hosts import unwrapped, wrapped
from resattn.models.detect_points import PointMaps
from resattn.models.detect_pyramid import STRIDES, cells_of
from resattn.training.detect_assign import Truths
from resattn.training.detect_losses import (
    centreness,
    detector_loss,
    focal,
    heat_focal,
    point_loss,
    radius,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_focal_loss():
    logits = np.linspace(-6, 6, 25)
    for target, alpha in ((1.0, 0.25), (0.0, 0.75)):
        p = sigmoid(logits) if target else 1 - sigmoid(logits)
        expected = -alpha * (1 - p) ** 2 * np.log(p)
        ours = focal(torch.from_numpy(logits), torch.full((25,), target, dtype=torch.float64))
        np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_heat_focal_loss():
    logits = np.linspace(-6, 6, 25)
    for heat in (0.0, 0.3, 0.9, 1.0):
        p = sigmoid(logits)
        miss = -((1 - heat) ** 4) * p**2 * np.log(1 - p)
        expected = -((1 - p) ** 2) * np.log(p) if heat == 1 else miss
        ours = heat_focal(torch.from_numpy(logits), torch.full((25,), heat, dtype=torch.float64))
        np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_centreness_is_one_in_the_middle_and_none_at_the_side():
    box = torch.tensor([[0.0, 0, 8, 4]]).expand(3, -1)
    points = torch.tensor([[4.0, 2], [0, 2], [2, 1]])
    assert centreness(points, box).tolist() == pytest.approx([1, 0, 1 / 3])


@pytest.mark.parametrize("sides", [(10.0, 10.0), (7.0, 90.0), (200.0, 31.0)])
def test_corners_moved_by_the_radius_leave_the_overlap(sides):
    """The worst of moving inwards, outwards, or both the same way leaves exactly 0.7."""
    w, h = sides
    r = float(radius(torch.tensor([sides], dtype=torch.float64)))
    moved = [(r, r, w - r, h - r), (-r, -r, w + r, h + r), (r, r, w + r, h + r)]
    left = [overlap((0, 0, w, h), box) for box in moved]
    assert min(both / union for both, union, _ in left) == pytest.approx(0.7)


def test_codes_and_boxes_are_inverse():
    draw = torch.Generator().manual_seed(0)
    corner = torch.rand(2, 40, 2, generator=draw, dtype=torch.float64) * 50
    sides = torch.rand(2, 40, 2, generator=draw, dtype=torch.float64) * 30 + 1
    boxes, anchors = torch.cat([corner, corner + sides], -1)
    for spread in ((0.1, 0.2), (1.0, 1.0)):
        codes = wrapped(boxes, anchors, spread)
        torch.testing.assert_close(unwrapped(codes, anchors, spread), boxes)


def truths():
    boxes = torch.tensor([[[10.0, 12, 60, 70], [30, 20, 120, 90], [0, 0, 0, 0]]])
    return Truths(boxes, torch.tensor([[0, 2, -1]]))


def perfect(grid, marks):
    """Point maps that say exactly what is true: hot cells with exact offsets, all else cold."""
    logits = torch.full((1, 3, len(grid.strides), 3), -12.0)
    offsets = torch.zeros(1, 3, len(grid.strides), 2)
    start = 0
    for stride, (rows, columns) in zip(STRIDES, grid.sizes, strict=True):
        for box, label in zip(marks.boxes[0], marks.labels[0], strict=True):
            for kind, (x, y) in enumerate(
                (box[:2].tolist(), box[2:].tolist(), ((box[:2] + box[2:]) / 2).tolist())
            ):
                col, row = min(int(x // stride), columns - 1), min(int(y // stride), rows - 1)
                cell = start + row * columns + col
                if label >= 0:
                    logits[0, kind, cell, label] = 12.0
                    offsets[0, kind, cell, 0] = x / stride - col - 0.5
                    offsets[0, kind, cell, 1] = y / stride - row - 0.5
        start += rows * columns
    return PointMaps(logits, offsets)


def test_points_told_exactly_cost_nothing_and_a_wrong_one_costs():
    grid = cells_of([torch.zeros(1, 1, 128 // s, 128 // s) for s in STRIDES])
    apart = Truths(truths().boxes[:, :1], truths().labels[:, :1])  # one object: no shared cells
    right = perfect(grid, apart)
    assert float(point_loss(right, grid, apart)) < 1e-3
    for wrong in (right._replace(offsets=right.offsets + 1), right._replace(logits=-right.logits)):
        assert float(point_loss(wrong, grid, apart)) > 0.4


@pytest.mark.parametrize("host", HOSTS)
def test_every_weight_that_should_learn_does(host):
    model = seeded(dataclasses.replace(SMALL, host=host)).train()
    for mixer in (*model.bridge.cls, *model.bridge.box):
        torch.nn.init.normal_(mixer.proj.weight, std=0.1)
    loss = detector_loss(model, model(photo()), truths())
    loss.backward()
    assert torch.isfinite(loss)
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not [name for name in still if not name.startswith("encoder.")], still


@pytest.mark.parametrize("host", HOSTS)
def test_a_few_steps_find_the_object(host):
    """Overfits one picture: the loss falls by a quarter within 10 steps."""
    model = seeded(dataclasses.replace(SMALL, host=host)).train()
    model.encoder.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(10):
        loss = detector_loss(model, model(photo()), truths())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize("host", HOSTS)
def test_a_batch_without_objects_has_a_loss(host):
    model = seeded(dataclasses.replace(SMALL, host=host)).train()
    nothing = Truths(torch.zeros(1, 1, 4), torch.full((1, 1), -1))
    loss = detector_loss(model, model(photo()), nothing)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
