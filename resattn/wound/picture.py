"""Pictures for a person to judge a mask by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from resattn.metrics.pair import Mask
from resattn.metrics.surface import outline
from resattn.wound.photo import Rgb
from resattn.wound.segment import Probability

_LINE, _EDGE = (0, 255, 255), (0, 0, 0)
_LINE_SHARE = 300  # of the longer side


def overlay(photo: Rgb, mask: Mask) -> Rgb:
    """The photograph (3, H, W) with the outline of the mask (H, W) drawn around the wounds.

    A bright line with a dark edge shows on any skin; what lies inside stays as it is.
    """
    picture = photo.copy()
    width = max(1, max(mask.shape) // _LINE_SHARE)
    rim = outline(mask)
    line = ndimage.binary_dilation(rim, iterations=width)
    for place, colour in (
        (ndimage.binary_dilation(line, iterations=max(1, width // 2)) & ~mask, _EDGE),
        (line & (rim | ~mask), _LINE),
    ):
        picture[:, place] = np.array(colour, np.uint8)[:, None]
    return picture


def grey_levels(probability: Probability) -> NDArray[np.uint8]:
    """Probabilities (H, W) as one band (1, H, W) from 0 to 255."""
    return np.asarray(np.rint(probability * 255), dtype=np.uint8)[None]
