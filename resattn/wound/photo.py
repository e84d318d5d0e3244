"""A photograph as everything here takes it: upright, RGB, eight bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.io.dicom import is_dicom, read_dicom
from resattn.io.image import Image, read_image
from resattn.io.sniff import Limits

Rgb = NDArray[np.uint8]


def read_rgb(path: Path, limits: Limits | None = None) -> tuple[Rgb, Image]:
    """The photograph (3, H, W), EXIF orientation applied, and what it was read from.

    Grey becomes three equal bands, 16 bits become 8, transparency is passed over.

    Raises:
        ItemError: As `resattn.io.image.read_image` and `resattn.io.dicom.read_dicom`.
        UserError: E217 if it is DICOM and pydicom is not installed.
    """
    image = read_dicom(path, limits) if is_dicom(path) else read_image(path, limits=limits)
    pixels = image.pixels
    eight = np.asarray(pixels if pixels.dtype == np.uint8 else pixels // 257, dtype=np.uint8)
    return np.repeat(eight, 3 // eight.shape[0], axis=0), image
