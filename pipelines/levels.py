"""Black and white of an image, from its type, from the user, or measured over the whole of it."""

from __future__ import annotations

import math
import re

import numpy as np

from resattn.errors import UserError
from resattn.pipelines.pictures import Photo, RasterPicture
from resattn.tiling import Window
from resattn.upscale.levels import Levels

_SAMPLES = 8
_SAMPLE_SIDE = 256
"""Levels are measured on at most 8 × 8 windows of 256 × 256 pixels, spread evenly."""


def parse_range(text: str) -> str | tuple[float, float]:
    """``auto``, ``type`` or ``measured`` as they are; else the two values of the range.

    Raises:
        UserError: The text is none of ``auto``, ``type``, ``measured``, ``11bit`` or ``0,10000``.
    """
    if text in ("auto", "type", "measured"):
        return text
    bits = re.fullmatch(r"(\d{1,2})bit", text)
    try:
        low, high = (0, 2 ** int(bits[1]) - 1) if bits else map(float, text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(
            f"--range {text!r} is no range of values",
            "write auto, type, measured, 11bit, or two values such as 0,10000",
            code="E208",
        )
    return float(low), float(high)


def levels_of(picture: Photo | RasterPicture, text: str) -> Levels:
    """The levels of every band of a picture, the same whatever tiles it will be read in.

    With ``auto`` the whole range of the type counts for photographs and for 8 bits, and measured
    percentiles count for other rasters, whose values rarely fill their type. Red, green and blue
    share one range, so that colours keep their balance; transparency always has its type's.
    """
    given = parse_range(text)
    by_type = Levels.of_type(picture.dtype, picture.count)
    if isinstance(given, tuple):
        levels = Levels.same(*given, picture.count)
    elif given == "type" or (given == "auto" and _fills_its_type(picture)):
        levels = by_type
    else:
        levels = _measured(picture)
    return levels if picture.alpha is None else _with_band(levels, by_type, picture.alpha)


def _fills_its_type(picture: Photo | RasterPicture) -> bool:
    return isinstance(picture, Photo) or picture.dtype == "uint8"


def _measured(picture: Photo | RasterPicture) -> Levels:
    samples: list[list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = [
        [] for _ in range(picture.count)
    ]
    for window in spread(picture.height, picture.width):
        pixels, valid = picture.read(window), picture.valid(window)
        for band, plane in enumerate(pixels):
            chosen = plane.ravel() if valid is None else plane[valid[band]]
            samples[band].append(chosen.astype(np.float64))
    bands = [np.concatenate(parts) for parts in samples]
    if picture.colours:
        shared = np.concatenate([bands[band] for band in picture.colours])
        for band in picture.colours:
            bands[band] = shared
    return Levels.measured(bands)


def spread(height: int, width: int) -> list[Window]:
    """Windows spread evenly, which cover an image that is no larger than they are together."""
    rows, cols = (
        np.linspace(0, max(length - _SAMPLE_SIDE, 0), min(_SAMPLES, -(-length // _SAMPLE_SIDE)))
        for length in (height, width)
    )
    return [
        Window(int(row), int(col), min(_SAMPLE_SIDE, height), min(_SAMPLE_SIDE, width))
        for row in rows
        for col in cols
    ]


def _with_band(levels: Levels, other: Levels, band: int) -> Levels:
    black, white = list(levels.black), list(levels.white)
    black[band], white[band] = other.black[band], other.white[band]
    return Levels(tuple(black), tuple(white))
