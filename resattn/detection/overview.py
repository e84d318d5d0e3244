"""A picture small enough to look at, with the boxes drawn in."""

from __future__ import annotations

import colorsys
from typing import Final

import numpy as np

from resattn.detection.finding import Finding
from resattn.detection.picture import Picture
from resattn.detection.stretch import Eight
from resattn.io.draw import Frame, draw_frames
from resattn.tiling import Window

LONGEST: Final = 2048
"""Longer side of an overview; a larger picture is thinned out."""

_ROWS: Final = 512
_GOLDEN: Final = 0.618034  # hues this far apart round the circle differ for any number of classes


def overview(picture: Picture, finding: Finding) -> Eight:
    """The picture (3, h, w), longer side at most `LONGEST`, each object framed and named."""
    step = -(-max(picture.size) // LONGEST)
    small = thinned(picture, step)
    names = finding.class_names()
    frames = [
        Frame(tuple(box), f"{name} {score:.2f}", class_colour(label))
        for box, name, score, label in zip(
            (finding.found.boxes / step).tolist(),
            names,
            finding.found.scores.tolist(),
            finding.found.labels.tolist(),
            strict=True,
        )
    ]
    return draw_frames(small, frames[::-1])  # the best on top


def thinned(picture: Picture, step: int) -> Eight:
    """Every `step`-th pixel of every `step`-th row, read by bands of rows."""
    rows = max(step, _ROWS // step * step)
    parts = [
        picture.read(Window(row, 0, min(rows, picture.height - row), picture.width))[
            :, ::step, ::step
        ]
        for row in range(0, picture.height, rows)
    ]
    return np.concatenate(parts, axis=1)


def class_colour(label: int) -> tuple[int, int, int]:
    """A bright colour of its own for each class."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + label * _GOLDEN) % 1, 0.9, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
