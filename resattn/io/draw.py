"""Frames with a caption drawn into pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resattn.io.image import opencv

_DARK = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """A box in pixels with its caption and colour (red, green, blue)."""

    box: tuple[float, ...]
    caption: str
    colour: tuple[int, int, int]


def draw_frames(pixels: NDArray[np.uint8], frames: Sequence[Frame]) -> NDArray[np.uint8]:
    """A copy of the picture (3, H, W) with the frames drawn, later ones on top.

    A thin bright line beside a dark one shows on any ground. Captions are drawn in ASCII, which is
    what OpenCV's font has, and left out where a box is too small for one.

    Raises:
        UserError: E210 if OpenCV cannot be loaded.
    """
    cv2 = opencv()
    canvas = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    width = max(1, round(max(canvas.shape[:2]) / 700))
    scale = 0.35 + 0.1 * width
    for frame in frames:
        left, top, right, bottom = (round(edge) for edge in frame.box)
        corners = (left, top), (max(left, right - 1), max(top, bottom - 1))
        cv2.rectangle(canvas, *corners, _DARK, width + 2)
        cv2.rectangle(canvas, *corners, frame.colour, width)
        text = frame.caption.encode("ascii", "replace").decode()
        (length, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        if length > 3 * (right - left):
            continue
        place = (max(left, 0), max(top - 3, height + 1))
        for colour, thickness in ((_DARK, 3), (frame.colour, 1)):
            cv2.putText(
                canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
            )
    drawn: NDArray[np.uint8] = np.ascontiguousarray(canvas.transpose(2, 0, 1))
    return drawn
