"""Cutting an image into windows of a grid that is fixed to the image, without padding.

A window that the border cuts is simply smaller: nothing is padded, so nothing must be masked and
no padded key is ever averaged in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

Shape = tuple[int, int]
Mix = Callable[[Tensor, Shape], tuple[Tensor, ...]]


def partition(x: Tensor, window: Shape) -> Tensor:
    """Windows of `x` (B, H, W, C), whose sides are multiples: (B * windows, h * w, C)."""
    return _by_window(x, window).reshape(-1, math.prod(window), x.shape[-1])


def reverse(windows: Tensor, window: Shape, size: Shape) -> Tensor:
    """The image (B, H, W, C) of `size` that `partition` cut."""
    (height, width), (h, w), channels = size, window, windows.shape[-1]
    x = windows.reshape(-1, height // h, width // w, h, w, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)


def _by_window(x: Tensor, window: Shape) -> Tensor:
    """A view of `x` (B, H, W, C) as (B, rows, columns, h, w, C)."""
    (h, w), (height, width) = window, x.shape[1:3]
    x = x.unflatten(2, (width // w, w)).unflatten(1, (height // h, h))
    return x.permute(0, 1, 3, 2, 4, 5)


def spans(size: int, window: int, shift: int) -> list[tuple[slice, int]]:
    """Parts of one side, each with the length of its windows.

    The grid's lines lie at `shift` plus multiples of `window`: a part before the first line, one
    of whole windows, and one after the last line, as far as there are such pixels.
    """
    first = min(shift % window, size)
    last = first + (size - first) // window * window
    ends = [(0, first, first), (first, last, window), (last, size, size - last)]
    return [(slice(start, stop), length) for start, stop, length in ends if start < stop]


def over_regions(x: Tensor, window: Shape, shift: Shape, mix: Mix) -> tuple[Tensor, ...]:
    """What `mix` makes of every window of `x` (B, H, W, C), put back in place.

    There are one to nine regions of equal windows: the whole ones, and those that the four sides
    and corners cut. Each result is written where it belongs, without a copy in between.

    Args:
        x: The image.
        window: Height and width of a whole window.
        shift: Where the first grid lines lie.
        mix: Takes the windows (B', n, C) of a region and their shape (h, w); returns one or more
            tensors (B', n, E).

    Returns:
        As many images (B, H, W, E) as `mix` returns tensors.
    """
    vertical = spans(x.shape[1], window[0], shift[0])
    horizontal = spans(x.shape[2], window[1], shift[1])
    regions = [(r, c, (h, w)) for r, h in vertical for c, w in horizontal]
    if len(regions) == 1:
        shape = regions[0][2]
        size = (x.shape[1], x.shape[2])
        return tuple(reverse(t, shape, size) for t in mix(partition(x, shape), shape))
    images: tuple[Tensor, ...] = ()
    for rows, columns, shape in regions:
        mixed = mix(partition(x[:, rows, columns], shape), shape)
        images = images or tuple(t.new_empty(*x.shape[:3], t.shape[-1]) for t in mixed)
        for image, windows in zip(images, mixed, strict=True):
            place = _by_window(image[:, rows, columns], shape)
            place.copy_(windows.reshape(place.shape))
    return images
