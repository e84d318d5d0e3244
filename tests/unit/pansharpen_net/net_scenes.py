"""A small synthetic scene whose bands are known at PAN resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from resattn.fusion import classical
from resattn.fusion.geometry import GridMap
from resattn.fusion.pyramid import Optics, Pyramid
from resattn.fusion.scene import Scene, from_arrays
from resattn.tiling import Window

GAINS = (0.3, 0.35, 0.3)
SHIFTS = ((0.0, 0.0), (-1.0, 0.5), (0.5, 0.0))


@dataclass(frozen=True)
class Sample:
    scene: Scene
    optics: Optics
    truth: np.ndarray
    pan: np.ndarray
    ms: np.ndarray

    @property
    def whole(self) -> Window:
        return Window(0, 0, self.scene.grid.pan_height, self.scene.grid.pan_width)

    def start(self, strength: float = 0.0) -> classical.Model:
        return classical.fit("mtf-glp-fs", self.scene, self.optics, consistency=strength)


def make(side: int = 64, seed: int = 0, optics: Optics | None = None) -> Sample:
    """Three bands made of two random textures; PAN is a mix of the bands."""
    rng = np.random.default_rng(seed)
    optics = optics or Optics(GAINS, SHIFTS)
    textures = [
        sum(
            gaussian_filter(rng.standard_normal((side, side)), size) * size
            for size in (0.7, 2.0, 6.0)
        )
        for _ in range(2)
    ]
    mixes = ((1.0, 0.2), (0.8, -0.3), (0.2, 1.0))
    truth = np.stack([400 + 60 * (a * textures[0] + b * textures[1]) for a, b in mixes])
    truth = truth.astype(np.float32)
    pan = (0.4 * truth[0] + 0.4 * truth[1] + 0.2 * truth[2]).astype(np.float32)
    grid = GridMap(side, side, side // 4, side // 4, 4.0, 4.0, 1.5, 1.5)
    cover = Window(0, 0, side // 4, side // 4)
    ms = np.stack(
        [
            Pyramid(
                from_arrays(band, np.zeros((1, side // 4, side // 4), np.float32), grid),
                Optics((gain,), (shift,)),
            ).reduced_pan(cover)[0]
            for band, gain, shift in zip(truth, optics.ms_gains, optics.shifts, strict=True)
        ]
    )
    return Sample(from_arrays(pan, ms, grid), optics, truth, pan, ms)
