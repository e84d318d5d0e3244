"""A folder of photographs as the equal squares a trainer cuts its samples from."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from resattn.errors import ResattnError, UserError
from resattn.io.image import SUFFIXES, read_image
from resattn.training.dataset import ImageSet

_logger = logging.getLogger(__name__)

SOURCES = "INDEX.csv"
"""Beside the images, optional: columns ``file`` and ``source_file``."""


def gather(folder: Path, side: int) -> ImageSet:
    """Squares of `side` pixels cut from the RGB images of a folder, and their photographs.

    Files that cannot be read or are smaller than a square are left out with a warning.

    Raises:
        UserError: No image is left.
    """
    sources = _sources(folder)
    squares: list[torch.Tensor] = []
    names: list[str] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        cut = list(_squares(path, side))
        squares += cut
        names += [sources.get(path.name, path.name)] * len(cut)
    if not squares:
        raise UserError(
            f"no image of at least {side} x {side} pixels in {folder}",
            "choose another --data, or a smaller --side",
        )
    return ImageSet(torch.stack(squares), tuple(names))


def _sources(folder: Path) -> dict[str, str]:
    path = folder / SOURCES
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["file"]: row["source_file"] for row in csv.DictReader(stream)}


def _squares(path: Path, side: int) -> Iterator[torch.Tensor]:
    try:
        pixels = read_image(path).pixels
    except ResattnError as error:
        _logger.warning("%s is left out: %s", path, error.message)
        return
    if pixels.dtype != np.uint8 or min(pixels.shape[1:]) < side:
        _logger.warning("%s is left out: %s of %s pixels", path, pixels.dtype, pixels.shape[1:])
        return
    colour = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    for row in range(0, pixels.shape[1] - side + 1, side):
        for col in range(0, pixels.shape[2] - side + 1, side):
            yield torch.from_numpy(colour[:, row : row + side, col : col + side].copy())
