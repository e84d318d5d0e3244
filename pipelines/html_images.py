"""Pictures as data URIs that keep to a number of bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from resattn.io.image import encode_image
from resattn.pipelines.html_pictures import Rgb, smaller


@dataclass(frozen=True, slots=True)
class Inlined:
    """An image as a data URI with the size it is encoded at."""

    uri: str
    width: int
    height: int


GALLERY = ((512, 85), (512, 65), (512, 40), (384, 40), (256, 40), (256, 20))
THUMBNAIL = ((96, 60), (96, 35), (72, 35), (48, 30), (48, 10))
"""Longest side and WebP quality, best first; the first that keeps to the limit is taken."""


def inlined(pixels: Rgb, ladder: Sequence[tuple[int, int]], limit: int) -> Inlined | None:
    """`pixels` (3, h, w) as WebP in at most `limit` bytes; None where no step is small enough."""
    for side, quality in ladder:
        small = smaller(pixels, side)
        text = base64.b64encode(encode_image(small, format="webp", quality=quality)).decode()
        if len(text) <= limit:
            return Inlined(f"data:image/webp;base64,{text}", small.shape[2], small.shape[1])
    return None
