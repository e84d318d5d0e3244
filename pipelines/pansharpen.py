"""From PAN and MS files to a sharpened GeoTIFF: prepare, infer, finish, measure.

The same function serves the shell (`resattn pansharpen`) and Python (`pansharpen`); a scene is
read, fused and written by windows, so memory does not grow with it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from resattn.fusion import classical
from resattn.fusion.calibration import Calibration, calibrate
from resattn.fusion.scene import Scene
from resattn.io.atomic import check_target, make_folder, write_bytes
from resattn.io.profile import RasterProfile
from resattn.io.raster_writer import RasterWriter
from resattn.pipelines import pansharpen_fit, preview, provenance, strips, wald
from resattn.pipelines import pansharpen_quality as quality
from resattn.pipelines import plan as planning
from resattn.pipelines.ahead import ahead, available_threads
from resattn.pipelines.fusers import Choice, Fuser, check_method, choose
from resattn.pipelines.memory import parse_bytes
from resattn.pipelines.pansharpen_config import PansharpenConfig
from resattn.pipelines.pixels import to_dtype
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable_with
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.scene_reader import SceneReader, open_scene
from resattn.pipelines.scenes import find_scenes
from resattn.pipelines.sources import absolute, gather
from resattn.tiling import Window, fit_size, in_parts, tiles

TAG = "pansharpened"
BLOCK = 512
"""Side of the output's blocks; tiles are multiples of it so that none is written twice."""

_STRIP_ROWS = 1024
"""Rows of a strip: whole tiles, so that a network sees the windows it sees in one process."""

_FLOATS_PER_PIXEL = 12
"""Peak float32 values per PAN pixel and band while a tile is fused (measured, 2026-11)."""


def pansharpen(
    pan: str | Path, ms: str | Path | Sequence[str | Path], out: str | Path, **options: Any
) -> Result:
    """The sharpened image of one scene, written to `out`.

    Args:
        pan: Panchromatic file.
        ms: Multispectral file, or band files in band order.
        out: GeoTIFF to write.
        options: Fields of `PansharpenConfig`, and ``reference`` for a path to compare with.

    Raises:
        UserError: The options or paths are wrong.
        ItemError: The images cannot be sharpened.

    Example:
        >>> result = pansharpen("B8.tif", ["B4.tif", "B3.tif", "B2.tif"], "sharp.tif")
        ... # doctest: +SKIP
    """
    reference = options.pop("reference", None)
    config = PansharpenConfig(**options)
    files = [ms] if isinstance(ms, (str, Path)) else list(ms)
    inputs = tuple(absolute(path) for path in (pan, *files))
    output = absolute(out)
    checked = planning.check([Item(output.stem, inputs, output)], overwrite=config.overwrite)
    paired = planning.pair_references(checked, None if reference is None else Path(reference))
    return work(config)(paired.items[0], Progress(enabled=False))


def plan(
    inputs: Sequence[str],
    out: Path,
    *,
    include: str = "*",
    recursive: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
    pan_pattern: str = "",
    ms_pattern: str = "",
) -> Plan:
    """The scenes the inputs hold and where each result goes.

    Raises:
        UserError: Nothing pairs, names collide, or an output is in the way.
    """
    sources = gather(inputs, include=include, recursive=recursive)
    scenes = find_scenes(sources, pan_pattern=pan_pattern, ms_pattern=ms_pattern)
    items = [
        Item(
            scene.name,
            (scene.pan, *scene.ms),
            planning.output_path(out, scene.name, single=len(scenes) == 1, tag=TAG, suffix=".tif"),
        )
        for scene in scenes
    ]
    return planning.check(items, overwrite=overwrite, skip_existing=skip_existing)


def companions(item: Item, config: PansharpenConfig) -> tuple[Path, ...]:
    """Files beside the output; with `auto` the weights only if the network wins."""
    previews = (preview.path_of(item.output),) if config.preview else ()
    adapts = config.save_weights and config.method not in classical.METHODS
    return (*previews, item.output.with_suffix(".safetensors")) if adapts else previews


@portable_with(companions)
def work(config: PansharpenConfig) -> Work:
    """What is done with one scene under `config`; wrong options are refused here, once."""
    config.camera()
    config.band_numbers()
    for method in (config.method, *config.baseline_methods()):
        check_method(method)
    return _Sharpening(config)


@dataclass(frozen=True, slots=True)
class _Sharpening:
    """A method at work; large scenes can be divided, see `Fitted`."""

    config: PansharpenConfig

    def __call__(self, item: Item, progress: Progress) -> Result:
        return _sharpen(item, progress, config=self.config)

    def strips(self, item: Item) -> Sequence[Window]:
        with _opened(item, self.config) as files:
            return strips.cut(files.grid.pan_height, files.grid.pan_width, _STRIP_ROWS)

    def fit(self, item: Item, progress: Progress) -> Result:
        with _opened(item, self.config) as files:
            prepared, choice = _fitted(files, self.config, progress)
            pansharpen_fit.write(item.output, prepared.calibration, choice)
        return Result(item.name, "ok", (item.output,))

    def strip(self, item: Item, progress: Progress) -> Result:
        del progress  # the strip is one step of it
        return _sharpen_strip(item, config=self.config)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scene ready to be fused: its files, its readers, its measured camera."""

    files: SceneReader
    scene: Scene
    calibration: Calibration


def _opened(item: Item, config: PansharpenConfig) -> AbstractContextManager[SceneReader]:
    pan, *ms = item.inputs
    return open_scene(pan, ms, bands=config.band_numbers(), limits=config.limits)


def _sharpen(item: Item, progress: Progress, *, config: PansharpenConfig) -> Result:
    make_folder(item.output.parent)
    check_target(item.output, inputs=item.inputs, overwrite=config.overwrite)
    with _opened(item, config) as files:
        if item.fit is None:
            prepared, choice = _fitted(files, config, progress)
        else:
            prepared, choice = _refitted(files, item.fit, config)
        profile = _profile(prepared, config, choice.name)
        finish(prepared, choice, profile, item, config, progress)
        outputs = [item.output]
        if config.preview:
            shown = preview.before_after(
                prepared.scene, item.output, config.overwrite, config.limits
            )
            outputs.append(shown)
        if config.save_weights and choice.pack is not None:
            outputs.append(item.output.with_suffix(".safetensors"))
            write_bytes(outputs[-1], choice.pack(item.output.stem), overwrite=config.overwrite)
        metrics, baselines = _measure(prepared, item, config, progress)
    facts = {
        "method": choice.name,
        "sensor": config.camera().name,
        "band_shifts": prepared.calibration.optics.shifts,
        "ratio": prepared.scene.grid.ratio,
        **choice.facts,
    }
    return Result(item.name, "ok", tuple(outputs), metrics, baselines, facts)


def _sharpen_strip(item: Item, *, config: PansharpenConfig) -> Result:
    strip, fit = item.part(), item.fit
    if fit is None:
        raise ValueError(f"{item.name} has nothing that was fitted")
    with _opened(item, config) as files:
        prepared, choice = _refitted(files, fit, config)
        profile = _profile(prepared, config, choice.name)
        windows = strips.squares(strip, _tile(prepared, choice, config))
        made = _fused(prepared, choice, profile, windows, config)
        strips.write(item.output, strip, profile, itertools.chain.from_iterable(made))
    return Result(item.name, "ok", (item.output,))


def _fitted(
    files: SceneReader, config: PansharpenConfig, progress: Progress
) -> tuple[Prepared, Choice]:
    prepared = prepare(files, config)
    return prepared, choose(config.method, prepared.scene, prepared.calibration, config, progress)


def _refitted(files: SceneReader, fit: Path, config: PansharpenConfig) -> tuple[Prepared, Choice]:
    """What `_fitted` gave the process that wrote `fit`."""
    calibration, choice = pansharpen_fit.read(fit, config.device)
    return Prepared(files, _scene(files, config), calibration), choice


def prepare(files: SceneReader, config: PansharpenConfig) -> Prepared:
    """The scene with its camera and, unless switched off, the measured shift of each band.

    Raises:
        ItemError: Nothing in the overlap is valid.
        UserError: The sensor has gains for another number of bands.
    """
    scene = _scene(files, config)
    return Prepared(files, scene, _calibrated(scene, config))


def _scene(files: SceneReader, config: PansharpenConfig) -> Scene:
    return Scene(files.grid, len(files.bands), files.read_pan, files.read_ms, _threads(config))


def _threads(config: PansharpenConfig) -> int:
    return config.threads or available_threads()


def _calibrated(scene: Scene, config: PansharpenConfig) -> Calibration:
    return calibrate(scene, config.camera().gains(scene.bands), register=config.registration)


def finish(
    prepared: Prepared,
    choice: Choice,
    profile: RasterProfile,
    item: Item,
    config: PansharpenConfig,
    progress: Progress,
) -> None:
    """Fuses tile by tile into the output, which appears whole and verified or not at all."""
    grid = prepared.scene.grid
    size = _tile(prepared, choice, config)
    windows = [tile.inner for tile in tiles(grid.pan_height, grid.pan_width, size)]
    with (
        RasterWriter(
            item.output, profile, inputs=item.inputs, overwrite=config.overwrite, cog=config.cog
        ) as writer,
        progress.steps(len(windows), item.name) as bar,
    ):
        writer.threads = _threads(config)
        made = (
            strips.read(item.strips, profile, windows)
            if item.strips
            else _fused(prepared, choice, profile, windows, config)
        )
        for parts in made:
            for part in parts:
                writer.write(*part)
            bar.update()


def _fused(
    prepared: Prepared,
    choice: Choice,
    profile: RasterProfile,
    windows: Sequence[Window],
    config: PansharpenConfig,
) -> Iterator[list[strips.Part]]:
    """Each window of the output, in parts where memory runs out."""
    fuse = functools.partial(in_parts, functools.partial(choice.fuser.apply, prepared.scene))
    workers = 1 if choice.own_threads else _threads(config)
    for _, parts in ahead(fuse, windows, workers):
        made: list[strips.Part] = []
        for window, (fused, valid) in parts:
            pixels = to_dtype(fused, valid, profile.dtype, profile.nodata)
            made.append((window, pixels, valid if profile.has_mask else None))
        yield made


def _tile(prepared: Prepared, choice: Choice, config: PansharpenConfig) -> int:
    return config.tile or fit_size(
        parse_bytes(config.ram) // 2,
        4.0 * _FLOATS_PER_PIXEL * (prepared.scene.bands + 1),
        align=BLOCK,
        largest=choice.tile,
    )


def _profile(prepared: Prepared, config: PansharpenConfig, method: str) -> RasterProfile:
    """The output's description: PAN's grid, everything else from the MS bands."""
    pan, ms, bands = prepared.files.pan_info, prepared.files.ms_info, prepared.files.bands
    profile = RasterProfile.of(ms)
    nodata = bands[0].nodata if profile.nodata is None else profile.nodata
    covered = prepared.scene.grid.overlap == pan.window and not (pan.has_mask or ms.has_mask)
    complete = covered and all(value is None for value in pan.nodata)
    if nodata is None and np.dtype(ms.dtype).kind == "f":
        nodata = float("nan")
    picked = [(band.raster.info, band.number - 1) for band in bands]
    return replace(
        profile,
        height=pan.height,
        width=pan.width,
        count=len(bands),
        crs=pan.crs,
        transform=pan.transform,
        gcps=pan.gcps,
        gcps_crs=pan.gcps_crs,
        rpcs=pan.rpcs,
        nodata=nodata,
        has_mask=nodata is None and not complete,
        descriptions=tuple(band.description for band in bands),
        band_tags=tuple(info.band_tags[i] for info, i in picked) if profile.band_tags else (),
        colorinterp=tuple(info.colorinterp[i] for info, i in picked),
        scales=tuple(info.scales[i] for info, i in picked),
        offsets=tuple(info.offsets[i] for info, i in picked),
        units=tuple(info.units[i] for info, i in picked),
        tags=provenance.succeeding(
            profile.tags, provenance.tags("pansharpen", config.result_options(), method=method)
        ),
        block=BLOCK,
    )


def _measure(
    prepared: Prepared, item: Item, config: PansharpenConfig, progress: Progress
) -> tuple[dict[str, float], Mapping[str, dict[str, float]]]:
    """Scores of the result and of the baselines, by the same rulers."""
    metrics: dict[str, float] = {}
    baselines: dict[str, dict[str, float]] = {name: {} for name in config.baseline_methods()}
    scene, grid = prepared.scene, prepared.scene.grid

    def fitted(method: str, to: Scene, calibration: Calibration) -> Fuser:
        return choose(method, to, calibration, config, progress).fuser

    if config.metrics:
        ruler = quality.Ruler.of(scene, config.camera())
        metrics |= ruler.score_file(item.output, config.limits)
        for method, scores in baselines.items():
            baseline = fitted(method, scene, prepared.calibration)
            scores |= ruler.score(functools.partial(baseline.apply, scene))
    if item.reference is not None:
        metrics |= quality.against_reference(item.output, item.reference, grid.ratio, config.limits)
    if config.wald:
        shift = prepared.calibration.registration.common if config.registration else (0.0, 0.0)
        reduced = wald.reduce(scene, config.camera(), shift)
        calibration = _calibrated(reduced.scene, config)
        metrics |= wald.score(reduced, fitted(config.method, reduced.scene, calibration))
        for method, scores in baselines.items():
            scores |= wald.score(reduced, fitted(method, reduced.scene, calibration))
    return metrics, baselines
