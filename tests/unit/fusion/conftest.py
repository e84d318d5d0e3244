"""Synthetic scenes whose truth is known: a ground image seen by a camera with a known MTF."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from resattn.fusion import mtf
from resattn.fusion.geometry import GridMap
from resattn.fusion.pyramid import Optics, Pyramid
from resattn.fusion.scene import from_arrays
from resattn.tiling import Window


class Simulated:
    """`truth` (B, H, W) at PAN resolution, the PAN and MS a camera makes of it, and the scene."""

    def __init__(self, height=96, width=128, bands=4, ratio=4.0, seed=0, gain=0.3, shifts=None):
        rng = np.random.default_rng(seed)
        fields = [gaussian_filter(rng.normal(size=(height, width)), 1.2) for _ in range(bands + 1)]
        common = 4.0 * fields[0]
        self.truth = np.stack(
            [600 + 100 * b + (60 + 20 * b) * (common + 0.8 * f) for b, f in enumerate(fields[1:])]
        ).astype(np.float32)
        self.pan = (self.truth.mean(axis=0) + 40 * fields[0]).astype(np.float32)
        ms_height, ms_width = int(height / ratio), int(width / ratio)
        first = (ratio - 1) / 2
        self.grid = GridMap(
            height, width, ms_height, ms_width, ratio, ratio, offset_y=first, offset_x=first
        )
        self.optics = Optics.of((gain,) * bands, shifts)
        ghost = from_arrays(self.pan, np.zeros((bands, ms_height, ms_width), np.float32), self.grid)
        pyramid = Pyramid(ghost, self.optics)
        everything = np.ones((height, width), bool)
        whole, cover = Window(0, 0, height, width), Window(0, 0, ms_height, ms_width)
        self.ms = -pyramid.residual(self.truth, everything, whole, cover)
        self.scene = from_arrays(self.pan, self.ms, self.grid)
        self.whole = whole

    def masked(self, pan_valid=None, ms_valid=None):
        return from_arrays(self.pan, self.ms, self.grid, pan_valid=pan_valid, ms_valid=ms_valid)


@pytest.fixture(scope="session")
def simulated():
    return Simulated()


@pytest.fixture(scope="session")
def simulate():
    return Simulated


@pytest.fixture
def decimated():
    """MS of a PAN-resolution band by explicit correlation: the reference for the reduction."""

    def decimate(image, gain, ratio, first):
        kernel = mtf.kernel(gain, ratio)
        padded = np.pad(image.astype(np.float64), 20, mode="symmetric")
        rows = np.arange(first, image.shape[0], ratio)
        cols = np.arange(first, image.shape[1], ratio)
        return np.array(
            [[(padded[y : y + 41, x : x + 41] * kernel).sum() for x in cols] for y in rows]
        )

    return decimate
