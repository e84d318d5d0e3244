"""Cutting an image into windows of a grid that is fixed to the image, without padding.

A window that the border cuts is simply smaller: nothing is padded, so nothing must be masked and
no padded key is ever averaged in.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Shape = tuple[int, int]


def partition(x: Tensor, window: Shape) -> Tensor:
    """Windows of `x` (B, H, W, C), whose sides are multiples: (B * windows, h * w, C)."""
    batch, height, width, channels = x.shape
    h, w = window
    x = x.reshape(batch, height // h, h, width // w, w, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, h * w, channels)


def reverse(windows: Tensor, window: Shape, size: Shape) -> Tensor:
    """The image (B, H, W, C) of `size` that `partition` cut."""
    (height, width), (h, w), channels = size, window, windows.shape[-1]
    x = windows.reshape(-1, height // h, width // w, h, w, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)


def spans(size: int, window: int, shift: int) -> list[tuple[slice, int]]:
    """Parts of one side, each with the length of its windows.

    The grid's lines lie at `shift` plus multiples of `window`: a part before the first line, one
    of whole windows, and one after the last line, as far as there are such pixels.
    """
    first = min(shift % window, size)
    last = first + (size - first) // window * window
    ends = [(0, first, first), (first, last, window), (last, size, size - last)]
    return [(slice(start, stop), length) for start, stop, length in ends if start < stop]


def over_regions(
    x: Tensor, window: Shape, shift: Shape, mix: Callable[[Tensor, Shape], Tensor]
) -> Tensor:
    """`mix` applied to all windows of each equal-windowed region of `x` (B, H, W, C).

    `mix` takes windows (B', n, C) with their shape (h, w) and returns (B', n, E). There are one
    to nine regions: the whole windows, and those the four sides and corners cut.
    """
    rows = []
    for vertical, h in spans(x.shape[1], window[0], shift[0]):
        row = []
        for horizontal, w in spans(x.shape[2], window[1], shift[1]):
            region = x[:, vertical, horizontal]
            mixed = mix(partition(region, (h, w)), (h, w))
            row.append(reverse(mixed, (h, w), (region.shape[1], region.shape[2])))
        rows.append(joined(row, 2))
    return joined(rows, 1)


def joined(parts: list[Tensor], axis: int) -> Tensor:
    """The parts side by side; a single part as it is, not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
