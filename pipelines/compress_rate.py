"""The quality level that keeps a file below a number of bits per pixel."""

from __future__ import annotations

import numpy as np

from resattn.codec.container import front
from resattn.codec.header import empty_index
from resattn.codec.network import LEVELS
from resattn.codec.tiles import Encoder, Wish
from resattn.pipelines.compress_source import Prepared
from resattn.pipelines.pictures import Photo, RasterPicture

_TILES = 12
"""The level is found on at most so many tiles, spread evenly."""


def level_for_rate(
    picture: Photo | RasterPicture, prepared: Prepared, encoder: Encoder, bpp: float
) -> tuple[int, tuple[str, ...]]:
    """The highest level whose file stays below `bpp` bits per pixel, by bisection.

    Exact for images of at most `_TILES` tiles, an estimate from as many for larger ones.

    Returns:
        The level, and a warning if it is an estimate or if even the lowest one is too large.
    """
    head = prepared.head
    chosen = np.unique(np.linspace(0, head.tiles - 1, min(head.tiles, _TILES)).astype(int))
    windows = [head.place(int(number)) for number in chosen]
    pixels = sum(window.height * window.width for window in windows)
    overhead = len(front(head, prepared.chunks, empty_index(head.tiles * len(head.roles))))
    share = pixels / (head.height * head.width)
    budget = bpp * pixels / 8 - overhead * share

    def fits(level: int) -> bool:
        spent = 0
        for window in windows:
            present = picture.present(window) if head.has_mask else None
            units = encoder.encode(picture.read(window), present, Wish(level=level))
            spent += sum(len(unit.payload) for unit in units)
            if spent > budget:
                return False
        return True

    low, high = -1, LEVELS - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    if low < 0:
        return 0, (f"even the lowest quality needs more than {bpp:g} bits per pixel",)
    if len(windows) < head.tiles:
        return low, (f"the level for {bpp:g} bits per pixel was found on {len(windows)} tiles",)
    return low, ()
