"""Other lossy formats, for comparison only: what OpenCV can encode and decode in memory."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resattn.io.image import opencv

Pixels = NDArray[np.uint8]

CODECS: Final = ("jpeg", "webp", "jpeg2000", "avif")
ABSENT: Final = ("jxl",)
"""Wanted in comparisons, but in none of the packages this program depends on."""

_SUFFIX: Final = {"jpeg": ".jpg", "webp": ".webp", "jpeg2000": ".jp2", "avif": ".avif"}


def qualities(codec: str) -> range:
    """Settings from the smallest file to the best one."""
    return range(1, 1001) if codec == "jpeg2000" else range(1, 101)


def encode(pixels: Pixels, codec: str, quality: int) -> bytes | None:
    """The file of (1 or 3, H, W) pixels; None where this OpenCV has no such encoder.

    JPEG is progressive with optimised tables, colour subsampled as by default; AVIF has speed 6.
    """
    cv2 = opencv()
    try:
        done, data = cv2.imencode(
            _SUFFIX[codec],
            np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0)),
            _parameters(cv2, codec, quality),
        )
    except cv2.error:
        return None
    return data.tobytes() if done else None


def decode(data: bytes) -> Pixels:
    """The pixels (1 or 3, H, W) of such a file."""
    cv2 = opencv()
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    stacked = found if found.ndim == 3 else found[..., None]
    pixels: Pixels = stacked[..., :3][..., ::-1].transpose(2, 0, 1)
    return pixels


def _parameters(cv2: Any, codec: str, quality: int) -> list[int]:
    if codec == "jpeg":
        return [
            cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, 1,
            cv2.IMWRITE_JPEG_OPTIMIZE, 1,
        ]  # fmt: skip
    if codec == "webp":
        return [cv2.IMWRITE_WEBP_QUALITY, quality]
    if codec == "jpeg2000":
        return [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, quality]
    return [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_SPEED, 6]
