"""Annotated pictures as the equal squares a detector is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from resattn.detection.annotations import Boxes, Marked
from resattn.detection.found import areas
from resattn.detection.layouts import read_pictures
from resattn.detection.picture import Colours, Picture, open_picture
from resattn.errors import UserError
from resattn.tiling import Window
from resattn.training.box_set import BoxSet

__all__ = ["BoxSet", "read_set"]

Kept = NDArray[np.bool_]

_SHOWN = 0.5  # least share of an object inside a square for its box to be kept


def read_set(
    path: Path,
    side: int,
    *,
    zoom: int = 1,
    cut: bool | None = None,
    colours: Colours | None = None,
) -> BoxSet:
    """Squares of `side` pixels with the boxes in them; groups (``iscrowd``) are left out.

    A picture is either scaled down to fit one square, or keeps its pixels, enlarged `zoom` times,
    and is cut into squares that share a quarter of their side.

    Args:
        path: As `resattn.detection.layouts.read_pictures`.
        side: Pixels of a square, a multiple of `zoom`.
        zoom: How many times pictures that are cut are enlarged, for objects of few pixels.
        cut: Whether to cut; by default rasters (TIFF, JPEG 2000) are, photographs are not.
        colours: How rasters become red, green and blue.

    Raises:
        UserError: E203 if there is no picture, else as `read_pictures`.
        ItemError: A file is damaged, or an annotation impossible.
        ValueError: If `side` is not a multiple of `zoom`.
    """
    if side % zoom:
        raise ValueError(f"side {side} is no multiple of zoom {zoom}")
    annotations, files = read_pictures(path)
    images, boxes, labels, sources = [], [], [], []
    for marked in annotations.pictures:
        with open_picture(files[marked.name], trained=colours) as picture:
            _check_size(picture, marked)
            cutting = picture.streamed if cut is None else cut
            for window, scale in _windows(picture, side, zoom if cutting else 0):
                image = _square(picture, window, scale, side)
                inside, kept = _visible(marked.boxes(crowds=False), window, scale)
                images.append(image)
                boxes.append(torch.from_numpy(inside.astype(np.float32)))
                labels.append(torch.from_numpy(marked.labels(crowds=False)[kept]))
                sources.append(marked.name)
    if not images:
        raise UserError(f"{path} lists no pictures", "name another set", code="E203")
    return BoxSet(
        torch.stack(images), tuple(boxes), tuple(labels), annotations.classes, tuple(sources)
    )


def _windows(picture: Picture, side: int, zoom: int) -> Iterator[tuple[Window, float]]:
    """The windows of a picture and how each is scaled; a zoom of 0 takes it whole."""
    if not zoom:
        yield Window(0, 0, picture.height, picture.width), min(1.0, side / max(picture.size))
        return
    step = side // zoom
    for row in _starts(picture.height, step):
        for col in _starts(picture.width, step):
            yield Window(row, col, min(step, picture.height), min(step, picture.width)), zoom


def _check_size(picture: Picture, marked: Marked) -> None:
    if picture.size != (marked.height, marked.width):
        raise UserError(
            f"{marked.name} has {picture.width}×{picture.height} pixels, its annotations "
            f"{marked.width}×{marked.height}",
            "give annotations of the upright picture",
            code="E206",
        )


def _square(picture: Picture, window: Window, scale: float, side: int) -> Tensor:
    """A window scaled, at the top left of a black square, (3, side, side) uint8."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture.read(window)))
    if scale != 1:
        size = [max(1, round(length * scale)) for length in pixels.shape[1:]]
        pixels = F.interpolate(
            pixels[None].float(), size=size, mode="bilinear", antialias=scale < 1
        )[0]
        pixels = pixels.round().to(torch.uint8)
    return F.pad(pixels, (0, side - pixels.shape[2], 0, side - pixels.shape[1]))


def _visible(boxes: Boxes, window: Window, scale: float) -> tuple[Boxes, Kept]:
    """Boxes at least half inside the window, cut to it, on its scaled grid, and which they are."""
    low = np.array([window.col, window.row, window.col, window.row])
    high = np.array([window.right, window.bottom, window.right, window.bottom])
    cut = np.clip(boxes, low, high)
    kept: Kept = areas(cut) >= _SHOWN * areas(boxes)
    return (cut[kept] - low) * scale, kept


def _starts(length: int, step: int) -> list[int]:
    """Where windows of `step` begin, sharing at least a quarter, the last at the very end."""
    last = max(length - step, 0)
    count = -(-last * 4 // (3 * step)) + 1
    return sorted({round(last * i / max(count - 1, 1)) for i in range(count)})
