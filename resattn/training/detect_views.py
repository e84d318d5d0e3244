"""Training views of annotated pictures: scaled, cut, turned and recoloured with their boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from resattn.config import Config


@dataclass(frozen=True)
class Views(Config):
    """How far a view may differ from its picture.

    Attributes:
        scale: Least and greatest magnification, drawn log-uniformly.
        turns: All eight symmetries of the square; otherwise left and right may change places.
        visible: Least share of an object's box inside the view for it to count.
        gain: Largest relative change of a channel.
        contrast: Largest relative change of contrast.
        brightness: Largest shift, of the range 0..1.
    """

    scale: tuple[float, float] = (0.6, 1.4)
    turns: bool = True
    visible: float = 0.4
    gain: float = 0.1
    contrast: float = 0.25
    brightness: float = 0.1


@dataclass(frozen=True)
class Marked:
    """A picture (3, H, W) uint8, its boxes (n, 4) in pixels and their labels (n).

    The few numbers of the boxes stay in main memory wherever the pixels are.
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor


def view(picture: Marked, side: int, views: Views, generator: Generator) -> Marked:
    """A square of `side` pixels cut from the picture at some scale, in some orientation.

    The window lies inside the picture where it fits; what it shows beyond is black. Boxes are cut
    at its border.
    """
    low, high = (math.log(s) for s in views.scale)
    at, row, col = torch.rand(3, generator=generator).tolist()
    window = max(1, round(side / math.exp(low + (high - low) * at)))
    height, width = picture.image.shape[1:]
    top, left = round(row * (height - window)), round(col * (width - window))
    image = _resized(_window(picture.image, top, left, window), side)
    boxes, shown = _moved(picture.boxes, (left, top), window, views.visible)
    turn = int(torch.randint(8, (1,), generator=generator))
    turn = turn if views.turns else turn & 1
    image, boxes = turned(image, boxes[shown] * (side / window), turn)
    return Marked(image, boxes, picture.labels[shown])


def turned(image: Tensor, boxes: Tensor, turn: int) -> tuple[Tensor, Tensor]:
    """One of the eight symmetries of a square image (3, side, side) and its boxes (n, 4).

    Bit 0 of `turn` mirrors columns, bit 1 rows, bit 2 exchanges both.
    """
    side = image.shape[-1]
    if turn & 1:
        image, boxes = image.flip(-1), torch.stack(_mirrored(boxes, side, 0), 1)
    if turn & 2:
        image, boxes = image.flip(-2), torch.stack(_mirrored(boxes, side, 1), 1)
    if turn & 4:
        image, boxes = image.transpose(-1, -2), boxes[:, [1, 0, 3, 2]]
    return image, boxes


def recoloured(images: Tensor, views: Views, generator: Generator) -> Tensor:
    """Images (B, 3, H, W) uint8 under other light, float32 in 0..1."""

    def amount(limit: float, channels: int = 1) -> Tensor:
        drawn = 2 * torch.rand(len(images), channels, 1, 1, generator=generator) - 1
        return (limit * drawn).to(images.device)

    gain = 1 + amount(views.gain, 3) + amount(views.contrast)
    shift = amount(views.brightness)
    real = images.float().div_(255)
    mean = real.mean((1, 2, 3), keepdim=True)
    return ((real - mean) * gain + mean + shift).clamp_(0, 1)


def stacked(boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Boxes (B, M, 4) and labels (B, M) of pictures with at most M objects; label -1 for none."""
    most = max(1, *(len(each) for each in labels))
    padded = [F.pad(each, (0, 0, 0, most - len(each))) for each in boxes]
    marks = [F.pad(each, (0, most - len(each)), value=-1) for each in labels]
    return torch.stack(padded), torch.stack(marks)


def _window(image: Tensor, top: int, left: int, side: int) -> Tensor:
    """`image` from `top` and `left` on, `side` pixels square, black outside."""
    height, width = image.shape[1:]
    inner = image[:, max(top, 0) : top + side, max(left, 0) : left + side]
    before = (max(-left, 0), max(-top, 0))
    after = (max(left + side - width, 0), max(top + side - height, 0))
    return F.pad(inner, (before[0], after[0], before[1], after[1]))


def _resized(image: Tensor, side: int) -> Tensor:
    if image.shape[-1] == side:
        return image
    size = (side, side)
    scaled = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0]
    return scaled.round_().to(torch.uint8)


def _moved(
    boxes: Tensor, origin: tuple[int, int], window: int, visible: float
) -> tuple[Tensor, Tensor]:
    """Boxes relative to a window and cut to it, and which still show enough."""
    moved = boxes - boxes.new_tensor([*origin, *origin])
    cut = moved.clamp(0, window)
    size, left = ((b[:, 2:] - b[:, :2]).prod(1) for b in (moved, cut))
    return cut, (left > 0) & (left >= visible * size)


def _mirrored(boxes: Tensor, side: int, axis: int) -> list[Tensor]:
    columns = list(boxes.unbind(1))
    columns[axis], columns[axis + 2] = side - columns[axis + 2], side - columns[axis]
    return columns
