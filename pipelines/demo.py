"""Something to try every job on: shipped Landsat images, and pictures drawn here.

Wounds and blood cells are drawn, not photographed: a demonstration must show no patient.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from resattn import demo
from resattn.degradation import downscale
from resattn.io.atomic import make_folder
from resattn.io.image import write_image
from resattn.io.marker import marker_cells
from resattn.io.raster import open_raster
from resattn.pipelines.compress_networks import DEFAULT_WEIGHTS
from resattn.upscale.resize import Resampler
from resattn.weights.index import listed

Rgb = NDArray[np.uint8]
Real = NDArray[np.float64]

SAMPLES: Final = "samples"


def arguments(verb: str, out: Path) -> list[str]:
    """What follows the verb on its demonstration's command line; its samples are made on the way.

    Args:
        verb: A job of `COMMANDS`.
        out: The folder of the demonstration.
    """
    make_folder(out / SAMPLES)
    return COMMANDS[verb](out)


def _pansharpen(out: Path) -> list[str]:
    pair = [_copied(out, f"landsat8_{name}") for name in ("pan", "ms")]
    names = "exp,brovey"
    return [*pair, "-o", str(out / "sharp.tif"), "--baselines", names, "--adapt-steps", "10"]


def _super_resolve(out: Path) -> list[str]:
    truth, small = out / SAMPLES / "town.png", out / SAMPLES / "town_small.png"
    picture = town()
    write_image(truth, picture, overwrite=True)
    reduced = downscale(torch.from_numpy(picture), 4).numpy()
    write_image(small, reduced, overwrite=True)
    return [str(small), "-o", str(out / "town.png"), "--scale", "4", "--reference", str(truth)]


def _segment_wound(out: Path) -> list[str]:
    photo = out / SAMPLES / "wound_drawn.png"
    write_image(photo, drawn_wound(), overwrite=True)
    return [str(photo), "-o", str(out / "wound.png"), "--marker-mm", "20"]


def _compress(out: Path) -> list[str]:
    picture = out / SAMPLES / "town.png"
    write_image(picture, town(), overwrite=True)
    how = [] if DEFAULT_WEIGHTS in listed() else ["--lossless"]
    return [str(picture), "-o", str(out / "town.rac"), "--score", *how]


def _decompress(out: Path) -> list[str]:
    return [str(out / "town.rac"), "-o", str(out / "town.decoded.png")]


def _detect(out: Path) -> list[str]:
    picture = out / SAMPLES / "cells_drawn.png"
    write_image(picture, drawn_cells(), overwrite=True)
    return [str(picture), "-o", str(out / "cells.json"), "--weights", "bccd", "--overlay"]


COMMANDS: Final[Mapping[str, Callable[[Path], list[str]]]] = MappingProxyType(
    {
        "pansharpen": _pansharpen,
        "super-resolve": _super_resolve,
        "segment-wound": _segment_wound,
        "compress": _compress,
        "decompress": _decompress,
        "detect": _detect,
    }
)
"""What each job is shown with, in the order in which they are run."""


def town() -> Rgb:
    """A colour picture (3, 384, 384) of the shipped Landsat pair, by the Brovey transform."""
    with open_raster(demo.path("landsat8_ms")) as ms, open_raster(demo.path("landsat8_pan")) as pan:
        bands = ms.read(bands=[3, 2, 1]).astype(np.float32)
        sharp = pan.read().astype(np.float64)
    size = sharp.shape[1], sharp.shape[2]
    rows = Resampler((bands.shape[1], bands.shape[2]), size)
    whole = rows.apply(bands, pan.info.window).astype(np.float64)
    fused = whole * sharp / np.maximum(whole.mean(axis=0), 1.0)
    low, high = np.percentile(fused, (1, 99), axis=(1, 2), keepdims=True)
    return _bytes((fused - low) / (high - low))


def drawn_wound() -> Rgb:
    """A drawing (3, 480, 640) of a red patch on skin beside a printed marker of 20 mm."""
    generator = np.random.default_rng(1)
    rows, cols = np.mgrid[:480, :640]
    skin = np.array([0.80, 0.60, 0.50])[:, None, None] * (1 - 0.2 * ((cols - 320) / 640) ** 2)
    rough = ndimage.gaussian_filter(generator.standard_normal((480, 640)), 14)
    away = ((rows - 240) / 74) ** 2 + ((cols - 270) / 104) ** 2 + 6 * rough
    inside = 1 / (1 + np.exp(12 * (away - 1)))
    grain = ndimage.gaussian_filter(generator.standard_normal((3, 480, 640)), (0, 2, 2))
    red = np.array([0.55, 0.10, 0.12])[:, None, None]
    picture = (1 - inside) * skin + inside * red + 0.04 * grain
    cells = np.kron(marker_cells(7), np.ones((20, 20)))
    picture[:, 290:450, 450:610] = 0.95
    picture[:, 310:430, 470:590] = 0.08 + 0.84 * cells
    return _bytes(picture)


def drawn_cells() -> Rgb:
    """A drawing (3, 480, 640) of blood cells: many red ones, two white ones with dark nuclei."""
    generator = np.random.default_rng(2)
    rows, cols = np.mgrid[:480, :640]
    picture = np.empty((3, 480, 640))
    picture[:] = np.array([0.93, 0.88, 0.87])[:, None, None]
    for row in range(60, 480, 120):
        for col in range(60, 640, 125):
            y, x = row + generator.uniform(-22, 22), col + generator.uniform(-22, 22)
            far = np.hypot(rows - y, cols - x) / generator.uniform(40, 46)
            white = (row, col) in ((180, 185), (300, 435))
            rim = np.clip(12 * (1 - far), 0, 1)
            dense = np.clip(12 * (0.8 - far), 0, 1) if white else 0.65 + 0.35 * np.minimum(far, 1)
            colour = np.array([0.45, 0.30, 0.60] if white else [0.80, 0.60, 0.62])[:, None, None]
            picture = picture * (1 - rim * dense) + colour * rim * dense
    grain = ndimage.gaussian_filter(generator.standard_normal((3, 480, 640)), (0, 1, 1))
    return _bytes(picture + 0.02 * grain)


def _copied(out: Path, name: str) -> str:
    target = out / SAMPLES / f"{name}.tif"
    shutil.copyfile(demo.path(name), target)
    return str(target)


def _bytes(picture: Real) -> Rgb:
    shown: Rgb = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return shown
