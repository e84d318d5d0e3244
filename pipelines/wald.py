"""The reduced-resolution protocol: fuse the scene one step coarser, where the truth is known.

PAN and MS are both reduced by the resolution ratio through their own MTF; the fusion of the two
reduced images then has the resolution of the given MS, which serves as the reference.

Reference: Wald, Ranchin and Mangolini, "Fusion of satellite images of different spatial
resolutions: assessing the quality of resulting images", PE&RS 63(6), 1997.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resattn.errors import ItemError
from resattn.fusion.geometry import GridMap
from resattn.fusion.pyramid import Optics, Pyramid, Shift
from resattn.fusion.scene import Scene, from_arrays
from resattn.fusion.sensors import Sensor
from resattn.fusion.taps import Image, Mask
from resattn.metrics.evaluate import evaluate_reduced
from resattn.pipelines.fusers import Fuser
from resattn.tiling import Window

MOST = 1024
"""MS pixels per side that are used at most: the middle of a larger scene."""

_LEAST = 8
"""Reduced MS pixels per side below which a score means nothing."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """A scene one resolution step coarser and its truth, (B, H, W) with (H, W) validity."""

    scene: Scene
    truth: Image
    valid: Mask


def reduce(scene: Scene, sensor: Sensor, shift: Shift = (0.0, 0.0)) -> Reduced:
    """The scene reduced by its own ratio, from the middle of the overlap.

    Args:
        scene: The pair.
        sensor: Its MTF gains.
        shift: How far MS lies off its nominal place, PAN pixels: PAN is sampled where MS lies, or
            a method that puts colours onto PAN would be scored against a truth beside it.

    Raises:
        ItemError: The scene is too small to be reduced.
    """
    grid = scene.grid
    window = _middle(grid)
    ratio = grid.ratio
    small = (int(window.height / ratio), int(window.width / ratio))
    if min(small) < _LEAST:
        raise ItemError(
            f"MS covers PAN with {window.height}×{window.width} pixels, too few to be reduced",
            f"leave out --wald for scenes below {int(_LEAST * ratio)} MS pixels a side",
            code="E329",
        )
    coarse = GridMap(
        window.height, window.width, *small, ratio, ratio, (ratio - 1) / 2, (ratio - 1) / 2
    )
    truth, valid = scene.read_ms(window)
    camera = Optics.of((sensor.pan_gain,) * scene.bands, (shift,) * scene.bands)
    pan = Pyramid(scene, camera).reduced_pan(window)[0]
    cover = Window(0, 0, *small)
    ms = np.stack(
        [
            _seen(np.where(valid, band, band[valid].mean()), coarse, gain, cover)
            for band, gain in zip(truth, sensor.gains(scene.bands), strict=True)
        ]
    )
    return Reduced(from_arrays(pan, ms, coarse), truth, valid)


def _seen(band: Image, coarse: GridMap, gain: float, cover: Window) -> Image:
    """One band as a camera with `gain` would deliver it on the coarse grid."""
    nothing = np.zeros((1, coarse.ms_height, coarse.ms_width), np.float32)
    seen: Image = Pyramid(from_arrays(band, nothing, coarse), Optics.of((gain,))).reduced_pan(
        cover
    )[0]
    return seen


def score(reduced: Reduced, fuser: Fuser) -> dict[str, float]:
    """Reduced-resolution scores of a method fitted to the reduced scene, as ``wald_<metric>``."""
    height, width = reduced.valid.shape
    fused, covered = fuser.apply(reduced.scene, Window(0, 0, height, width))
    valid = covered & reduced.valid
    truth = np.where(valid, reduced.truth, 0).astype(np.float64)
    peak = float(max(truth.max(), 1.0))
    ratio = reduced.scene.grid.ratio
    scores = evaluate_reduced(np.where(valid, fused, 0), truth, ratio=ratio, peak=peak, valid=valid)
    return {f"wald_{name}": value for name, value in scores.items()}


def _middle(grid: GridMap) -> Window:
    """MS pixels under the overlap, cut to `MOST` a side around the middle."""
    overlap = grid.overlap
    rows = grid.ms_rows(np.array([overlap.row, overlap.bottom - 1.0]))
    cols = grid.ms_cols(np.array([overlap.col, overlap.right - 1.0]))
    top, bottom = max(0, int(np.ceil(rows[0]))), min(grid.ms_height, int(rows[1]) + 1)
    left, right = max(0, int(np.ceil(cols[0]))), min(grid.ms_width, int(cols[1]) + 1)
    height, width = min(MOST, bottom - top), min(MOST, right - left)
    return Window(
        top + (bottom - top - height) // 2, left + (right - left - width) // 2, height, width
    )
