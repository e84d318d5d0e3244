"""Where the statistics of a scene are taken from."""

import time
from dataclasses import replace

import numpy as np
import pytest

from resattn.fusion.geometry import GridMap
from resattn.fusion.scene import Scene


def scene(side, ratio=4):
    """A scene that must not be read."""
    small = side // ratio
    first = (ratio - 1) / 2
    grid = GridMap(side, side, small, small, ratio, ratio, first, first)
    return Scene(grid, 8, pytest.fail, pytest.fail)


@pytest.mark.parametrize(("side", "ratio"), [(40, 4), (700, 2), (1024, 4)])
def test_a_small_scene_is_taken_whole(side, ratio):
    seen = np.zeros((side, side), int)
    for window in scene(side, ratio).sample_windows():
        seen[window.slices] += 1
    assert (seen == 1).all()
    seen = np.zeros((side // ratio, side // ratio), int)
    for window in scene(side, ratio).sample_ms_windows():
        seen[window.slices] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("side", [1280, 4096, 20_000])
def test_a_large_scene_gives_a_million_pixels_from_all_over(side):
    windows = list(scene(side).sample_windows())
    assert sum(w.height * w.width for w in windows) <= 2**20
    assert len(windows) == 16
    assert (windows[0].row, windows[0].col) == (0, 0)
    assert (windows[-1].bottom, windows[-1].right) == (side, side)
    coarse = list(scene(side).sample_ms_windows())
    assert sum(w.height * w.width for w in coarse) <= 2**16
    assert (coarse[-1].bottom, coarse[-1].right) == (side // 4, side // 4)


@pytest.mark.parametrize("threads", [1, 3])
def test_windows_are_answered_in_order_however_many_threads(threads):
    def slower_at_first(window):
        time.sleep(0.002 / (1 + window.row))
        return window

    windows = list(scene(4096).sample_windows())
    assert list(replace(scene(4096), threads=threads).each(slower_at_first, windows)) == windows
