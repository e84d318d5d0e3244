"""What a detector is trained to minimise: classes, boxes, centreness, and points of the bridge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from resattn.models.detect_hosts import RetinaNet, wrapped
from resattn.models.detect_points import PointMaps
from resattn.models.detect_pyramid import STRIDES, Cells
from resattn.models.detector import Detector, Raw
from resattn.ops.boxes import giou
from resattn.training.detect_assign import ASSIGNERS, IGNORED, Truths

_BOX_WEIGHT = {"atss": 2.0, "fcos": 1.0}
_HEAT_WEIGHT = 0.25
_OVERLAP = 0.7


def detector_loss(model: Detector, raw: Raw, truths: Truths) -> Tensor:
    """The host's losses, and those of the points where there is a bridge; a scalar, float32."""
    name = model.config.host
    with torch.autocast(truths.boxes.device.type, enabled=False):
        assigned = ASSIGNERS[name](model.host, raw.cells, truths)
        found = assigned >= 0
        count = found.sum().clamp_min(1)
        loss = _class_loss(raw, truths, assigned) / count
        goals = truths.boxes[found.nonzero()[:, 0], assigned[found]]
        if isinstance(model.host, RetinaNet):
            priors = model.host.priors(raw.cells).expand(len(found), -1, -1)[found]
            codes = wrapped(goals, priors, model.host.spread)
            loss = loss + (raw.predictions.codes[found] - codes).abs().sum() / count
        else:
            loss = loss + _centred_loss(model, raw, found, goals)
        return loss if raw.points is None else loss + point_loss(raw.points, raw.cells, truths)


def focal(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss of each logit for a target of 0 or 1 (Lin et al., ICCV 2017, eq. 5)."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    missed = probability + target - 2 * probability * target  # 1 - p_t
    weight = 1 - alpha - target + 2 * alpha * target  # alpha_t
    return weight * missed**gamma * entropy


def heat_focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss of each logit for a heat in 0..1 (Law and Deng, CornerNet, ECCV 2018, eq. 1).

    Exactly 1 is an object; less discounts by (1 - heat)^4 how wrong a high score is.
    """
    probability = logits.sigmoid()
    hit = -F.logsigmoid(logits) * (1 - probability) ** 2
    miss = -F.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4
    return hit.where(heat == 1, miss)


def centreness(points: Tensor, boxes: Tensor) -> Tensor:
    """How central points (n, 2) lie in boxes (n, 4), in 0..1 (FCOS, eq. 3)."""
    before, after = points - boxes[:, :2], boxes[:, 2:] - points
    ratio = torch.minimum(before, after) / torch.maximum(before, after)
    return ratio.clamp_min(0).prod(1).sqrt()


def point_loss(points: PointMaps, cells: Cells, truths: Truths) -> Tensor:
    """Losses of the scores and the offsets of corners and centres (RelationNet++, sec. 3.2)."""
    low, high = truths.boxes[..., :2], truths.boxes[..., 2:]
    places = torch.stack([low, high, (low + high) / 2], 1)
    heat = _heat(places, cells, truths)
    owner = heat.max(2)
    hit = owner.values == 1
    count = hit.sum().clamp_min(1)
    target = torch.zeros_like(points.logits)
    labels = truths.labels.clamp_min(0)[:, None, :, None].expand_as(heat)
    target = target.transpose(2, 3).scatter_reduce(2, labels, heat, "amax").transpose(2, 3)
    batch, kind, cell = hit.nonzero(as_tuple=True)
    where = places[batch, kind, owner.indices[hit]]
    offset = (where - cells.centres[cell]) / cells.strides[cell, None]
    wrong = F.smooth_l1_loss(points.offsets[hit], offset, reduction="sum")
    return (_HEAT_WEIGHT * heat_focal(points.logits, target).sum() + wrong) / count


def radius(sides: Tensor) -> Tensor:
    """How far both corners of a box of `sides` (..., 2) may move in pixels and leave IoU 0.7.

    The least of three cases: the moved box inside, outside, or shifted (CornerNet, sec. 3.1).
    """
    total, product, share = sides.sum(-1), sides.prod(-1), _OVERLAP

    def root(a: float, b: float, c: float, sign: int) -> Tensor:
        """A root of a r² + b (w + h) r + c w h."""
        inside = (b * total).square() - 4 * a * c * product
        return (sign * inside.clamp_min(0).sqrt() - b * total) / (2 * a)

    shifted = root(1, -1, (1 - share) / (1 + share), -1)
    inner = root(4, -2, 1 - share, -1)
    outer = root(4 * share, 2 * share, share - 1, 1)
    return torch.minimum(torch.minimum(shifted, inner), outer)


def _heat(places: Tensor, cells: Cells, truths: Truths) -> Tensor:
    """Gaussians around the cell of each point, of every level: (B, 3, M, P); 0 for no object."""
    sigma = (2 * radius(truths.boxes[..., 2:] - truths.boxes[..., :2]) + 1) / 6
    sigma = sigma[:, None, :, None]
    levels = []
    for stride, (rows, columns) in zip(STRIDES, cells.sizes, strict=True):
        last = places.new_tensor([columns - 1, rows - 1])
        nearest = (places / stride).floor().clamp_min(0).minimum(last)
        x, y = (
            torch.exp(-(((torch.arange(n, device=places.device) - at) * stride / sigma) ** 2) / 2)
            for n, at in zip((columns, rows), nearest.split(1, -1), strict=True)
        )
        levels.append((y[..., :, None] * x[..., None, :]).flatten(3))
    return torch.cat(levels, 3) * truths.real[:, None, :, None]


def _class_loss(raw: Raw, truths: Truths, assigned: Tensor) -> Tensor:
    logits = raw.predictions.logits
    labels = truths.labels.gather(1, assigned.clamp_min(0))
    target = F.one_hot(labels.clamp_min(0), logits.shape[2]) * (assigned >= 0)[..., None]
    losses = focal(logits, target.to(logits.dtype))
    return (losses * (assigned != IGNORED)[..., None]).sum()


def _centred_loss(model: Detector, raw: Raw, found: Tensor, goals: Tensor) -> Tensor:
    """GIoU weighted by centreness, and the centreness itself."""
    logits = raw.predictions.centreness
    if logits is None:
        raise ValueError(f"host {model.config.host} predicts no centreness")
    boxes = model.host.boxes(raw.predictions.codes, raw.cells)[found]
    priors = model.host.priors(raw.cells).expand(len(found), -1, -1)[found]
    centre = centreness((priors[:, :2] + priors[:, 2:]) / 2, goals)
    apart = ((1 - giou(boxes, goals)) * centre).sum() / centre.sum().clamp_min(1e-6)
    wrong = F.binary_cross_entropy_with_logits(logits[found], centre, reduction="sum")
    return _BOX_WEIGHT[model.config.host] * apart + wrong / found.sum().clamp_min(1)
