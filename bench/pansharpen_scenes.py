"""The scenes that the bars of pansharpening are set on, as files for the tools and arrays to score.

Three kinds: full resolution (scored without a truth), reduced resolution (a stored or made Wald
pair, scored against the original MS), and georeferenced pairs for the colour shift. Scenes
without georeference get a made-up one with equal corners, so that every tool reads the same
geometry from the same files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from bench.peers import Files, read_on, write
from resattn.fusion.geometry import GridMap, ImageGrid, match
from resattn.fusion.sensors import Sensor, find
from resattn.metrics.align import register
from resattn.metrics.consistency import observe
from resattn.metrics.enlarge import shrink
from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Reduced:
    """A pair whose truth is known."""

    name: str
    files: Files
    reference: Array
    ratio: int
    peak: float

    def score(self, fused: Path) -> Scores:
        """Reference scores of a fused file, by metric."""
        image, valid = read_on(self.files.pan, fused)
        return evaluate_reduced(
            image, self.reference, ratio=self.ratio, peak=self.peak, valid=valid
        )


@dataclass(frozen=True, slots=True)
class Full:
    """A pair as delivered, with the shifts of its bands measured once for all tools."""

    name: str
    files: Files
    pan: Array
    ms: Array
    pan_valid: Mask
    ms_valid: Mask
    observer: Observer

    def score(self, fused: Path) -> Scores:
        """Scores without a reference of a fused file, by metric."""
        image, valid = read_on(self.files.pan, fused)
        known = valid & self.pan_valid
        return evaluate_full(
            image, self.pan, self.ms, self.observer, valid=known, ms_valid=self.ms_valid
        )


Scene = Reduced | Full


def scenes(data: Path, folder: Path, wanted: Sequence[str] = ()) -> Iterator[Scene]:
    """The scenes under the shared `data` folder, all or those wanted by name.

    Files for the tools are written to `folder`.

    Raises:
        KeyError: A wanted name is no scene.
    """
    builders = _builders(data, folder)
    for name in wanted or builders:
        yield builders[name]()


def _builders(data: Path, root: Path) -> dict[str, Callable[[], Scene]]:
    """How to make each scene, in the order of the report."""
    made: dict[str, Callable[[], Scene]] = {}
    for name in ("wv3_zpnn_128", "wv3_adelaide"):
        made[name] = partial(_full, name, data, root, "worldview-3")
    for name, sensor in (("wv3_rr128", "worldview-3"), ("ik_rr320", "ikonos")):
        made[name] = partial(_oracle, name, data, root, sensor)
    for name in ("gf2_reduced_0", "gf2_reduced_1"):
        made[name] = partial(_stored_pair, name, data, root, "gaofen-2", 1023)
    for name in ("landsat8_a", "landsat8_b"):
        made[name] = partial(_full, name, data, root, "landsat-8")
        made[f"{name}_wald"] = partial(_wald, name, data, root, "landsat-8", 65535)
    for name, sensor in (
        ("wv3_georef_utm42", "worldview-3"),
        ("wv2_rotterdam_1", "worldview-2"),
        ("landsat8_debian_small", "landsat-8"),
    ):
        made[name] = partial(_georeferenced, name, data, sensor)
    return made


def _read(path: Path) -> tuple[Array, Mask]:
    with rasterio.open(path) as file:
        image = file.read().astype(np.float64)
        valid = (file.dataset_mask() > 0) & np.isfinite(image).all(axis=0)
    return np.where(valid, image, 0.0), valid


def _folder(root: Path, name: str) -> Path:
    path = root / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _paired_files(folder: Path, pan: Array, ms: Array, ratio: int, sensor: str) -> Files:
    return Files(write(folder / "pan.tif", pan, 1), write(folder / "ms.tif", ms, ratio), sensor)


def _full(name: str, data: Path, root: Path, sensor: str) -> Full:
    pan, pan_valid = _read(data / name / "pan.tif")
    ms, ms_valid = _read(data / name / "ms.tif")
    ratio = json.loads((data / name / "meta.json").read_text())["ratio"]
    camera = find(sensor)
    plain = Observer.of_toolbox(pan.shape[1:], ratio, camera.gains(len(ms)))
    files = _paired_files(_folder(root, name), pan, ms, ratio, sensor)
    observer = register(plain, pan, ms, camera.pan_gain)
    return Full(name, files, pan, ms, pan_valid, ms_valid, observer)


def _oracle(name: str, data: Path, root: Path, sensor: str) -> Reduced:
    pan, _ = _read(data / "oracle" / name / "pan.tif")
    ms, _ = _read(data / "oracle" / name / "ms_area_aligned.tif")
    reference, _ = _read(data / "oracle" / name / "ref.tif")
    files = _paired_files(_folder(root, name), pan, ms, 4, sensor)
    return Reduced(name, files, reference, 4, 2047)


def _stored_pair(name: str, data: Path, root: Path, sensor: str, peak: float) -> Reduced:
    pan, _ = _read(data / name / "pan.tif")
    ms, _ = _read(data / name / "ms.tif")
    reference, _ = _read(data / name / "ref.tif")
    ratio = round(pan.shape[1] / ms.shape[1])
    files = _paired_files(_folder(root, name), pan, ms, ratio, sensor)
    return Reduced(name, files, reference, ratio, peak)


def _wald(name: str, data: Path, root: Path, sensor: str, peak: float) -> Reduced:
    """The protocol of Wald: both inputs one ratio coarser, the original MS as truth.

    PAN is sampled where MS really lies: else the truth lies beside PAN, and methods would be
    ranked by how little they follow it.
    """
    pan, _ = _read(data / name / "pan.tif")
    ms, _ = _read(data / name / "ms.tif")
    ratio = round(pan.shape[1] / ms.shape[1])
    camera = find(sensor)
    nominal = _centred(pan.shape[1:], ratio, camera, len(ms))
    shifts = register(nominal, pan, ms, camera.pan_gain).shifts
    off = (float(np.median([dy for dy, _ in shifts])), float(np.median([dx for _, dx in shifts])))
    low_pan, _ = shrink(pan, replace(nominal, grid=nominal.grid.shifted(*off)))
    low_ms, _ = observe(ms, _centred(ms.shape[1:], ratio, camera, len(ms)))
    files = _paired_files(
        _folder(root, f"{name}_wald"), np.rint(low_pan), np.rint(low_ms), ratio, sensor
    )
    return Reduced(f"{name}_wald", files, ms, ratio, peak)


def _centred(shape: tuple[int, int], ratio: int, camera: Sensor, bands: int) -> Observer:
    """A camera whose samples lie on the centres of their footprints."""
    centre = (ratio - 1) / 2
    height, width = shape
    grid = GridMap(height, width, height // ratio, width // ratio, ratio, ratio, centre, centre)
    return Observer(grid, camera.gains(bands), ((0.0, 0.0),) * bands)


def _georeferenced(name: str, data: Path, sensor: str) -> Full:
    paths = data / name / "pan.tif", data / name / "ms.tif"
    (pan, pan_valid), (ms, ms_valid) = (_read(path) for path in paths)
    camera = find(sensor)
    plain = Observer(
        match(_grid(paths[0]), _grid(paths[1])), camera.gains(len(ms)), ((0.0, 0.0),) * len(ms)
    )
    observer = register(plain, pan, ms, camera.pan_gain, valid=pan_valid, ms_valid=ms_valid)
    return Full(name, Files(*paths, sensor), pan, ms, pan_valid, ms_valid, observer)


def _grid(path: Path) -> ImageGrid:
    with rasterio.open(path) as file:
        return ImageGrid(file.height, file.width, tuple(file.transform)[:6], file.crs)
